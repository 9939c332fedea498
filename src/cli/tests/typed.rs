//! What can be typed, and the help that teaches it.

use clap::error::ErrorKind;

use crate::base::id::Number;
use crate::base::viewer::Scope;
use crate::cli::Exit;
use crate::cli::args::{Admin, Args, Command, DEFAULT_DATABASE, Incident, Remote, SentState, Token};
use crate::cli::help::GROUPS;

fn typed(line: &str) -> Result<Args, clap::Error> {
    Args::read(std::iter::once("reveille").chain(line.split_whitespace()))
}

fn refused(line: &str) -> ErrorKind {
    let error = typed(line).expect_err("it is refused");
    assert_eq!(error.exit_code(), i32::from(Exit::Usage.code()), "{line}");
    error.kind()
}

#[test]
fn the_definition_is_sound() {
    Args::definition().debug_assert();
}

#[test]
fn every_command_stands_in_one_group() {
    let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    grouped.sort_unstable();
    let definition = Args::definition();
    let mut defined: Vec<&str> = definition.get_subcommands().map(clap::Command::get_name).collect();
    defined.sort_unstable();
    assert_eq!(grouped, defined);
}

#[test]
fn every_command_teaches() {
    fn check(command: &clap::Command, path: &str) {
        for sub in command.get_subcommands() {
            let path = format!("{path} {}", sub.get_name());
            let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(about.len() > 10, "{path} says what it does");
            let after = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(after.contains("Example:\n  reveille") || after.contains("Example:\n  export"), "{path} has an example");
            assert!(after.contains("\nNext: "), "{path} says what comes next");
            check(sub, &path);
        }
    }
    check(&Args::definition(), "reveille");
}

/// An example that is not understood teaches the wrong thing.
#[test]
fn every_example_is_understood() {
    fn check(command: &clap::Command) {
        for sub in command.get_subcommands() {
            let after = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples = after.lines().skip_while(|line| *line != "Example:").skip(1).take_while(|line| !line.is_empty());
            for example in examples {
                let start = example.find("reveille ").expect("an example has the program's name");
                let words = words(&example[start..]);
                if let Err(error) = Args::read(&words) {
                    panic!("{example}\n{error}");
                }
            }
            check(sub);
        }
    }
    check(&Args::definition());
}

/// Words as a shell parts them, as far as the examples go: quotes, and the end at a pipe, a bracket or a file.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('"').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
            continue;
        }
        let end = part.find(['|', ')', '>']).unwrap_or(part.len());
        words.extend(part[..end].split_whitespace().map(str::to_owned));
        if end < part.len() {
            break;
        }
    }
    words
}

#[test]
fn the_first_page_shows_the_groups_and_the_long_one_the_exit_codes() {
    let page = Args::definition().render_help().to_string();
    let places: Vec<usize> = ["Run:", "Configure:", "Respond:", "Scripts:", "Options:"]
        .iter()
        .map(|heading| page.find(heading).unwrap_or_else(|| panic!("{heading} is in\n{page}")))
        .collect();
    assert!(places.is_sorted(), "{page}");
    assert!(page.contains("\n  incident     See incidents and respond to them\n"), "{page}");
    let long = Args::definition().render_long_help().to_string();
    for exit in Exit::ALL {
        assert!(long.contains(&format!("\n  {}  {}", exit.code(), exit.meaning())), "{long}");
    }
}

#[test]
fn global_options_stand_anywhere() {
    for line in ["--json --url http://a:1 --token t incident list", "incident --url http://a:1 list --json --token t"] {
        let args = typed(line).expect("it is understood");
        assert!(args.global.json && args.global.url == "http://a:1");
        assert_eq!(args.global.token.expect("a token").expose(), "t");
    }
}

#[test]
fn secrets_do_not_print() {
    for line in ["incident list --token hidden", "send x --key hidden", "migrate --database postgres://u:hidden@h/d"] {
        assert!(!format!("{:?}", typed(line).expect("it is understood")).contains("hidden"), "{line}");
    }
    for id in ["REVEILLE_TOKEN", "REVEILLE_KEY", "REVEILLE_SERVER__DATABASE"] {
        let mut commands = vec![Args::definition()];
        let mut seen = 0;
        while let Some(command) = commands.pop() {
            commands.extend(command.get_subcommands().cloned());
            for argument in command.get_arguments().filter(|argument| argument.get_env().is_some_and(|env| env == id)) {
                assert!(argument.is_hide_env_values_set(), "{id}");
                seen += 1;
            }
        }
        assert!(seen > 0, "{id} is read somewhere");
    }
}

#[test]
fn numbers_are_read_as_people_write_them() {
    for line in ["incident ack 42", "incident ack #42"] {
        let Command::Remote(Remote::Incident { command: Incident::Ack(one) }) = typed(line).expect("it is understood").command else {
            panic!("{line}")
        };
        assert_eq!(one.number, Number(42));
    }
    for line in ["incident ack 0", "incident ack x", "incident show -- -1", "why pag_", "why pag_../x", "why ../../metrics", "why"] {
        refused(line);
    }
    for (line, about) in [("why #7", "7"), ("why pag_01j0", "pag_01j0")] {
        let Command::Remote(Remote::Why(why)) = typed(line).expect("it is understood").command else { panic!("{line}") };
        assert_eq!(why.about, about);
    }
}

#[test]
fn defaults_are_the_least() {
    let Command::Token { command: Token::Create(create) } = typed("token create ci").expect("it is understood").command else { panic!() };
    assert_eq!((create.scope, create.user), (Scope::Read, None));
    let Command::Token { command: Token::Create(create) } = typed("token create ci --scope admin --user ana").expect("understood").command
    else {
        panic!()
    };
    assert_eq!((create.scope, create.user.expect("a user").as_str()), (Scope::Admin, "ana"));
    let Command::Admin { command: Admin::Link(link) } = typed("admin link ana --database sqlite:x").expect("it is understood").command
    else {
        panic!()
    };
    assert_eq!(link.database.url().expose(), "sqlite:x");
    let Command::Migrate(migrate) = typed("migrate --database=").expect("it is understood").command else { panic!() };
    assert_eq!(migrate.database.url().expose(), DEFAULT_DATABASE, "an empty one is as good as none");
    let Command::Remote(Remote::Send(send)) = typed("send Hello --key k").expect("it is understood").command else { panic!() };
    assert_eq!((send.state, send.wait.as_seconds(), send.source.as_str()), (SentState::Firing, 2, "generic"));
}

#[test]
fn what_makes_no_sense_is_refused() {
    assert_eq!(refused("send --key k"), ErrorKind::MissingRequiredArgument);
    assert_eq!(refused("send x --key k --severity fatal"), ErrorKind::InvalidValue);
    assert_eq!(refused("send x --key k --state suppressed"), ErrorKind::InvalidValue);
    assert_eq!(refused("send x --key k --label host"), ErrorKind::ValueValidation);
    assert_eq!(refused("send x --key k --wait soon"), ErrorKind::ValueValidation);
    assert_eq!(refused("token create x --scope root"), ErrorKind::InvalidValue);
    assert_eq!(refused("replay scalingo-2015"), ErrorKind::MissingRequiredArgument);
    assert_eq!(refused("replay --list --hook http://x"), ErrorKind::ArgumentConflict);
    assert_eq!(refused("serve --listen 8080"), ErrorKind::ValueValidation);
    assert_eq!(refused("incident list --limit 1001"), ErrorKind::ValueValidation);
    assert_eq!(refused("incident list --state open"), ErrorKind::InvalidValue);
    assert_eq!(refused("incident sev 42 5"), ErrorKind::ValueValidation);
    assert_eq!(refused("incident role 42 lead"), ErrorKind::MissingRequiredArgument);
    assert_eq!(refused("incident role 42 boss ana"), ErrorKind::InvalidValue);
    assert_eq!(refused("incident task done 42 0"), ErrorKind::ValueValidation);
    assert_eq!(refused("incident snooze 42 soon"), ErrorKind::ValueValidation);
    assert_eq!(refused("override add platform bo"), ErrorKind::MissingRequiredArgument);
    assert_eq!(refused("override add platform bo --for 1h --until 09:00"), ErrorKind::ArgumentConflict);
    assert_eq!(refused("silence add --for 1h"), ErrorKind::MissingRequiredArgument);
    assert_eq!(refused("silence add a=b"), ErrorKind::MissingRequiredArgument);
    assert_eq!(refused("completions tcsh"), ErrorKind::InvalidValue);
    assert_eq!(refused("frobnicate"), ErrorKind::InvalidSubcommand);
    assert!(typed("replay --list").is_ok());
}
