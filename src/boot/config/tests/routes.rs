//! The routing rules of a file.

use super::*;

const BASE: &str = include_str!("../../../../reveille.example.toml");

fn with(rules: &str) -> String {
    format!("{BASE}\n{rules}")
}

/// What is said of the rules, without what is said of the example.
fn said(rules: &str) -> Vec<String> {
    let around = Surroundings::made(SECRETS, &[]);
    let of_example = check_lines(BASE, &around);
    let first = BASE.lines().count() + 2;
    let lines = check_lines(&with(rules), &around).into_iter();
    let mut lines: Vec<String> = lines.filter(|line| !of_example.contains(line)).collect();
    lines.pop();
    // Lines count from the first of the rules.
    let counted = |line: String| {
        let mut parts = line.splitn(4, ':');
        let (_, at, column, rest) = (parts.next()?, parts.next()?.parse::<usize>().ok()?, parts.next()?, parts.next()?);
        Some(format!("{}:{column}:{rest}", at + 1 - first))
    };
    lines.into_iter().filter_map(counted).collect()
}

#[test]
fn rules_keep_the_order_of_the_file() {
    let rules = r#"[[route]]
id = "zoo"
source = "rollbar"
match = ['team="db"', 'host=~"db-.*"']
service = "api"
severity = "critical"
policy = "platform"
labels = { team = "{{ labels.owner }}", "kube.pod" = "x" }
title = "{{ labels.host }}: {{ title }}"

[[route]]
id = "ant"
integration = "api-rollbar"
expression = 'labels.size|int > 90'
record = true
"#;
    assert_eq!(said(rules), Vec::<String>::new());
    let routes = run(&with(rules), SECRETS).expect("it is good").0.setup.routes;
    assert_eq!(routes.iter().map(|route| route.id.as_str()).collect::<Vec<_>>(), ["zoo", "ant"]);
    assert_eq!(routes[0].matchers.len(), 2);
    assert_eq!((routes[0].gives.labels.len(), routes[1].gives.record), (2, true));
    // What was read rests, and comes back the same.
    let stored = serde_json::to_string(&routes).expect("it is written");
    assert_eq!(serde_json::from_str::<Vec<crate::domain::routing::Route>>(&stored).expect("it is read"), routes);
}

#[test]
fn what_is_wrong_in_a_rule_has_its_place() {
    let rules = r#"[[route]]
id = "a"
match = ['team="db', "team=~\"db(\"", 'team']
expression = 'labels.size >'
title = "{{ title"
service = "databse"
polcy = "platform"
labels = { x = "{{ y|nothing( }}", z = 3 }
"#;
    assert_eq!(
        said(rules),
        [
            r#"3:16: error: "team=\"db": the quote is not closed; write it as 'team="db"', with one of =, !=, =~ and !~"#,
            r#"3:29: error: "team=~\"db(\"": this is no regular expression: unclosed group; write it as 'team="db"', with one of =, !=, =~ and !~"#,
            r#"3:44: error: "team": one of the signs =, !=, =~ and !~ belongs here; write it as 'team="db"', with one of =, !=, =~ and !~"#,
            r#"4:27: error: "labels.size >": unexpected end of input, expected expression; write it as 'labels.team == "db" and "disk" in title'"#,
            r#"5:13: error: "{{ title": unexpected end of input, expected end of variable block; write it as "{{ labels.host }}: {{ title }}""#,
            r#"6:11: error: there is no service "databse"; there is only api"#,
            r#"7:1: error: unknown key "polcy" in [[route]]; did you mean "policy"?"#,
            r#"8:31: error: "{{ y|nothing( }}": unexpected `}`; write it as "{{ labels.host }}: {{ title }}""#,
            r#"8:40: error: z is a number, not text in quotes; write text in quotes"#,
        ]
    );
    assert_eq!(said("[route]\nid = \"a\"\n"), ["1:1: error: route is a table, not a list of tables; write [[route]]"]);
}

#[test]
fn rules_that_can_never_fire_are_doubted() {
    let rules = r#"[[route]]
id = "db"
match = ['team="db"']

[[route]]
id = "shadowed"
match = ['host=~"db-*"', 'team="db"']
service = "api"

[[route]]
id = "wild"
match = ['env="prod"', 'env!~"prod|staging"']

[[route]]
id = "bad"
match = ['severity="fatal"']

[[route]]
id = "other"
source = "datadog"
integration = "api-rollbar"

[[route]]
id = "rest"

[[route]]
id = "never"
match = ['team="web"']
"#;
    let shadow = |by: &str, it: &str| {
        format!("warning: rule {it} can never fire: rule {by} before it takes all that it would; put it first, or remove it")
    };
    assert_eq!(
        said(rules),
        [
            "5:1: warning: host=~\"db-*\" repeats the sign before its star, and a star alone stands for nothing; write .* for whatever comes, as in 'host=~\"db-.*\"'".to_owned(),
            format!("5:1: {}", shadow("db", "shadowed")),
            "10:1: warning: rule wild can never fire: env=\"prod\" and env!~\"prod|staging\" are never true together; mend what it asks for, or remove it".to_owned(),
            "14:1: warning: rule bad can never fire: severity=\"fatal\" is no severity; there are info, warning, error, critical; mend what it asks for, or remove it".to_owned(),
            "18:1: warning: rule other can never fire: integration api-rollbar is of the source rollbar; mend what it asks for, or remove it".to_owned(),
            format!("26:1: {}", shadow("rest", "never")),
        ]
    );
}
