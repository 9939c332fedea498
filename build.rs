//! The front end is built by Vite before the binary embeds it; this says so when it was not.

fn main() {
    println!("cargo::rerun-if-changed=web/dist");
    println!("cargo::rerun-if-changed=migrations");
    println!("cargo::rerun-if-changed=templates");
    for file in ["app.js", "app.css", "stage.js", "stage.css"] {
        assert!(
            std::path::Path::new("web/dist").join(file).exists(),
            "web/dist/{file} is missing: run `make web` first (or `make run`, which does it)"
        );
    }
}
