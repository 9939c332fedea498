//! The first page of the help: the commands by what people come for, and the exit codes.

use std::fmt::Write as _;

use clap::Command;
use clap::builder::StyledStr;

use super::exit::Exit;

/// Every command stands in one of these; a test holds that.
pub(super) const GROUPS: [(&str, &[&str]); 5] = [
    ("Run", &["demo", "serve", "stage", "replay"]),
    ("Configure", &["check", "apply", "token", "user", "admin", "completions"]),
    ("Respond", &["incident", "who", "why", "oncall", "override", "silence", "maintenance"]),
    ("Scripts", &["send"]),
    ("Look after it", &["doctor", "integration", "route", "noise", "test-page", "backup", "restore", "migrate"]),
];

/// The command line with its first page.
pub(super) fn with_first_page(command: Command) -> Command {
    let page = first_page(&command);
    command.help_template(page).after_long_help(exit_codes()).after_help("More, and the exit codes: reveille --help")
}

fn first_page(command: &Command) -> StyledStr {
    let styles = command.get_styles();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let width = GROUPS.iter().flat_map(|(_, names)| names.iter()).map(|name| name.len()).max().unwrap_or(0);
    let mut page = String::from("{about-with-newline}\n{usage-heading} {usage}\n");
    for (group, names) in GROUPS {
        line(&mut page, &format!("\n{header}{group}:{header:#}"));
        for name in names {
            let about = command.find_subcommand(name).and_then(Command::get_about).map(ToString::to_string).unwrap_or_default();
            line(&mut page, &format!("  {literal}{name}{literal:#}{:gap$}  {about}", "", gap = width - name.len()));
        }
    }
    line(&mut page, "\nEach explains itself, with an example: reveille COMMAND --help");
    line(&mut page, &format!("\n{header}Options:{header:#}"));
    page.push_str("{options}{after-help}");
    StyledStr::from(page)
}

fn exit_codes() -> String {
    let mut text = String::from("Exit codes:");
    for exit in Exit::ALL {
        write!(text, "\n  {}  {}", exit.code(), exit.meaning()).unwrap_or_default();
    }
    text
}

fn line(page: &mut String, text: &str) {
    page.push_str(text);
    page.push('\n');
}
