use super::*;
use crate::domain::alert::{AlertState, Hold};
use crate::domain::novelty::Novelty;
use crate::domain::order::Order;
use crate::domain::task::TaskState;
use crate::render::line::{Then, Tone};

const HOSTILE: &str = "</title><script>alert(1)</script>\"' onload=x &amp; \u{202e}gnp";

fn frame() -> Frame {
    Frame {
        css: "/assets/app.css?v=1".to_owned(),
        js: "/assets/app.js?v=1".to_owned(),
        here: "incidents",
        signed_in: Some(SignedIn {
            name: HOSTILE.to_owned(),
            csrf: "token-of-the-session".to_owned(),
            may_respond: true,
            may_administer: true,
        }),
    }
}

fn stamp() -> Stamp {
    Stamp(Time::from_seconds(1_438_138_800))
}

fn hostile_line() -> Line {
    Line {
        text: HOSTILE.to_owned(),
        reason: Some(HOSTILE.to_owned()),
        then: Some(Then { what: "next step", at: stamp().0 }),
        tone: Tone::Paging,
    }
}

fn row(state: IncidentState) -> Row {
    Row {
        number: Number(42),
        title: HOSTILE.to_owned(),
        service: HOSTILE.to_owned(),
        severity: "sev1",
        state,
        opened_at: stamp(),
        alerts_count: 1,
        is_storm: true,
        is_new: true,
        who: Some(HOSTILE.to_owned()),
    }
}

fn list(open: Vec<Row>, resolved: Vec<Row>) -> IncidentsPage {
    IncidentsPage {
        frame: frame(),
        filter: None,
        services: vec![
            Choice { id: HOSTILE.to_owned(), name: HOSTILE.to_owned() },
            Choice { id: "api".to_owned(), name: "API".to_owned() },
        ],
        service: HOSTILE.to_owned(),
        severity: String::new(),
        words: HOSTILE.to_owned(),
        open,
        resolved,
        older: None,
        orders: OrderLink::all(Order::Rare, |order| order.name().to_owned()),
        csv: "/incidents.csv".to_owned(),
        hooks_at: "https://reveille.example".to_owned(),
        is_first: true,
    }
}

fn incident(state: IncidentState) -> IncidentPage {
    IncidentPage {
        relevance: RelevancePart::default(),
        frame: frame(),
        number: Number(42),
        title: HOSTILE.to_owned(),
        service: HOSTILE.to_owned(),
        also: vec![HOSTILE.to_owned()],
        group: Some(HOSTILE.to_owned()),
        storm: Some(StormBanner { policy: HOSTILE.to_owned(), services: 2, began_at: stamp(), ended_at: None }),
        fell: vec![(HOSTILE.to_owned(), stamp())],
        fell_more: 3,
        severity: "sev1",
        state,
        opened_at: stamp(),
        resolved_at: None,
        answered_after: Some("5m 12s".to_owned()),
        now: hostile_line(),
        alerts_count: 7,
        changes: Vec::new(),
        orders: OrderLink::all(Order::Rare, |order| order.name().to_owned()),
        alerts: vec![AlertRow {
            inhibited: None,
            relevance: None,
            integration: "bar".to_owned(),
            dedup_key: "db".to_owned(),
            novelty: NoveltyTag::of(&Novelty::default()),
            title: HOSTILE.to_owned(),
            source: HOSTILE.to_owned(),
            severity: "error",
            state: "firing",
            hold: HoldTag::of(AlertState::Firing, Some(Hold::Quiet { until: stamp().0 })),
            count: 3,
            first_at: stamp(),
            last_at: stamp(),
            url: Some("javascript:alert(1)".to_owned()),
            labels: vec![
                (HOSTILE.to_owned(), HOSTILE.to_owned()),
                ("runbook".to_owned(), "https://wiki.example.com/disk?a=1&b=\"2\"".to_owned()),
                ("graph".to_owned(), "https://g.example.com/d.PNG?x=1".to_owned()),
                ("odd".to_owned(), "https://a.example.com/ and more".to_owned()),
            ],
            silence: String::new(),
        }],
        pages: vec![PageCard {
            person: HOSTILE.to_owned(),
            state: "ringing",
            since: stamp(),
            attempts: vec![AttemptRow { channel: "call", at: stamp(), outcome: "accepted", reason: Some(HOSTILE.to_owned()) }],
        }],
        timeline: vec![Entry { seq: 9, at: stamp(), actor: Some(HOSTILE.to_owned()), line: hostile_line() }],
        earlier: None,
        is_newest: true,
        board: vec![task(1, TaskState::Blocked)],
        board_over: vec![task(2, TaskState::Dropped)],
        roles: vec![RoleRow { role: "lead", person: Some(HOSTILE.to_owned()) }, RoleRow { role: "comms", person: None }],
        room: Some(RoomLink { name: HOSTILE.to_owned(), url: "https://slack.com/app_redirect?channel=C1".to_owned() }),
        offers: Offers {
            people: vec![Choice { id: HOSTILE.to_owned(), name: HOSTILE.to_owned() }],
            policies: vec![Choice { id: HOSTILE.to_owned(), name: HOSTILE.to_owned() }],
            timezone: HOSTILE.to_owned(),
            others: vec![Choice { id: "43".to_owned(), name: HOSTILE.to_owned() }],
            parts: vec![Choice { id: HOSTILE.to_owned(), name: HOSTILE.to_owned() }],
        },
        linked: Linked { took_in: vec![Number(43)], split_from: Some(Number(41)), ..Linked::default() },
    }
}

fn task(n: i64, state: TaskState) -> TaskRow {
    TaskRow {
        n,
        title: HOSTILE.to_owned(),
        state,
        owner: Some(HOSTILE.to_owned()),
        is_mine: false,
        since: stamp(),
        blocked_on: Some(HOSTILE.to_owned()),
        back_at: Some(stamp()),
        is_overdue: true,
    }
}

/// Nothing of a stranger's text may open an element or leave an attribute.
fn assert_harmless(html: &str) {
    assert!(!html.contains("<script>"), "{html}");
    assert!(!html.contains("</title><"), "{html}");
    assert!(!html.contains("\"' onload"), "{html}");
    assert!(!html.contains("javascript:"), "{html}");
    // The policy of the pages allows no inline script or style.
    assert!(!html.contains(" style=") && !html.contains("<style") && !html.contains(" onclick"), "{html}");
}

#[test]
fn hostile_text_stays_text_on_every_page() {
    assert_harmless(&list(vec![row(IncidentState::Triggered)], vec![row(IncidentState::Resolved)]).render().expect("renders"));
    for state in IncidentState::ALL {
        assert_harmless(&incident(state).render().expect("renders"));
    }
    let link = SignInLinkPage {
        frame: frame(),
        link: HOSTILE.to_owned(),
        csrf: HOSTILE.to_owned(),
        name: HOSTILE.to_owned(),
        id: HOSTILE.to_owned(),
        has_password: true,
        has_numbers: true,
        wrong: Some(HOSTILE.to_owned()),
    };
    assert_harmless(&link.render().expect("renders"));
    let sign_in = SignInPage { frame: frame(), csrf: HOSTILE.to_owned(), name: HOSTILE.to_owned(), wrong: Some(HOSTILE.to_owned()) };
    assert_harmless(&sign_in.render().expect("renders"));
    let problem = ProblemPage { frame: frame(), title: HOSTILE.to_owned(), detail: HOSTILE.to_owned() };
    assert_harmless(&problem.render().expect("renders"));
}

#[test]
fn the_buttons_are_those_that_make_sense_and_carry_the_token() {
    let acts = |state: IncidentState| {
        let html = incident(state).render().expect("renders");
        assert_eq!(html.matches("value=\"token-of-the-session\"").count(), html.matches("<form").count(), "each form has it");
        let head = html.split("</header>").nth(1).expect("the incident's head").to_owned();
        let acts: Vec<String> =
            head.split("action=\"/incidents/42/").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect();
        acts
    };
    assert_eq!(acts(IncidentState::Triggered), ["acknowledge", "escalate", "resolve"]);
    assert_eq!(acts(IncidentState::Acknowledged), ["resolve", "acknowledge", "escalate"]);
    assert_eq!(acts(IncidentState::Resolved), ["reopen"]);
    let mut looking = incident(IncidentState::Triggered);
    if let Some(person) = &mut looking.frame.signed_in {
        person.may_respond = false;
    }
    let html = looking.render().expect("renders");
    assert!(!html.contains("<form") && html.contains("your role is observer"), "whoever looks is offered nothing to press: {html}");
}

#[test]
fn times_are_absolute_without_scripts() {
    let html = incident(IncidentState::Triggered).render().expect("renders");
    assert!(html.contains("datetime=\"2015-07-29T03:00:00.000Z\""), "{html}");
    assert!(html.contains(">29 Jul 2015 03:00:00 UTC</time>"), "{html}");
}

#[test]
fn an_empty_list_tells_the_next_step() {
    let all = || IncidentsPage { service: String::new(), words: String::new(), ..list(Vec::new(), Vec::new()) };
    let html = all().render().expect("renders");
    assert!(html.contains("https://reveille.example/hooks/rollbar/"), "{html}");
    assert!(html.contains("reveille send"), "{html}");
    assert!(list(Vec::new(), Vec::new()).render().expect("renders").contains("No incident is like that."));
    let mut filtered = all();
    filtered.filter = Some(IncidentState::Triggered);
    assert!(filtered.render().expect("renders").contains("No incident is triggered."));
}

#[test]
fn a_sender_s_link_is_a_link_only_to_the_web() {
    let mut alert = incident(IncidentState::Triggered).alerts.remove(0);
    for (url, shown) in [("javascript:alert(1)", false), ("data:text/html,x", false), ("https://rollbar.example/item/1", true)] {
        alert.url = Some(url.to_owned());
        assert_eq!(alert.link().is_some(), shown, "{url}");
    }
}

#[test]
fn signed_out_pages_offer_the_way_in() {
    let mut frame = frame();
    frame.signed_in = None;
    let html = ProblemPage { frame, title: "Sign in first".to_owned(), detail: "…".to_owned() }.render().expect("renders");
    assert!(html.contains("href=\"/sign-in\"") && !html.contains("/sign-out"), "{html}");
}

#[test]
fn a_link_says_where_it_leads_whatever_stands_before_the_host() {
    let host = |url: &str| {
        let row = AlertRow {
            inhibited: None,
            relevance: None,
            integration: "bar".to_owned(),
            dedup_key: "db".to_owned(),
            novelty: NoveltyTag::of(&Novelty::default()),
            title: String::new(),
            source: "generic".to_owned(),
            severity: "error",
            state: "firing",
            hold: None,
            count: 1,
            first_at: stamp(),
            last_at: stamp(),
            url: Some(url.to_owned()),
            labels: Vec::new(),
            silence: String::new(),
        };
        row.host().to_owned()
    };
    assert_eq!(host("https://rollbar.com/item/1"), "rollbar.com");
    assert_eq!(host("http://10.0.0.1:3000?x=@rollbar.com"), "10.0.0.1:3000");
    assert_eq!(host("https://rollbar.com@evil.example.com/"), "evil.example.com");
    assert_eq!(host(r"https://evil.example.com\@rollbar.com/"), "evil.example.com");
    assert_eq!(host("javascript:alert(1)"), "");
}

#[test]
fn a_label_that_is_an_address_is_a_link_and_a_picture_is_named() {
    let html = incident(IncidentState::Triggered).render().expect("renders");
    let link = "<a class=\"outside\" href=\"https://wiki.example.com/disk?a=1&#38;b=&#34;2&#34;\" rel=\"noopener noreferrer nofollow\">wiki.example.com</a>";
    assert!(html.contains(link), "{html}");
    assert!(html.contains(">picture on g.example.com</a>") && !html.contains("<img"), "{html}");
    assert!(html.contains("<dd><bdi>https://a.example.com/ and more</bdi></dd>"), "{html}");
}
