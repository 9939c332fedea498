import { defineConfig } from "vite";

// Names without hashes: the binary embeds each file by its name and serves it with a digest in the query.
export default defineConfig({
  base: "/assets/",
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: 0,
    rolldownOptions: {
      input: { app: "src/app.ts", stage: "src/stage.ts" },
      output: {
        entryFileNames: "[name].js",
        chunkFileNames: "[name].js",
        assetFileNames: "[name][extname]",
      },
    },
  },
});
