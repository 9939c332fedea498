//! What leaves the house and wakes nobody: webhooks and the outside dead man's switch.

use reveille::base::id::IdSource;
use reveille::base::secret::{hex, hmac_sha256};
use reveille::domain::fact::{Fact, What};
use reveille::domain::input::Actor;
use reveille::domain::reason::Reason;
use reveille::domain::setup::Place;
use reveille::flows::heartbeat::{self, Unwell};
use reveille::store::{self, WriteLane};

use crate::app::{App, TEAM};
use crate::receiver::{Got, Receiver};
use crate::story;

const SECRET: &str = "a secret of the ops team";

fn with_webhook(receiver: &Receiver, server: &str) -> String {
    let webhook = format!("\n[[webhook]]\nid = \"ops\"\nurl = \"{}/incidents?key=hidden\"\nsecret = \"{SECRET}\"\n", receiver.url);
    TEAM.replace("[server]\n", &format!("[server]\n{server}\n")) + &webhook
}

/// The webhook is there from now on.
async fn follows(app: &App, receiver: &Receiver) {
    app.applies(&with_webhook(receiver, "allow_private_targets = true")).await;
    is_followed(app).await;
}

async fn is_followed(app: &App) {
    for _ in 0..5_000 {
        if store::follower_find(&app.house().store.reader(), "webhook:ops").await.expect("it reads").is_some() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("nobody follows for the webhook");
}

fn kinds(got: &[Got]) -> Vec<String> {
    got.iter().map(|got| got.json()["type"].as_str().expect("a type").to_owned()).collect()
}

fn count_of(app: &App, line: &str) -> u64 {
    let mut text = String::new();
    app.house().metrics.write(&mut text).expect("a text");
    text.lines().find_map(|own| own.strip_prefix(line)).map_or(0, |n| n.trim().parse().expect("a number"))
}

story!(a_webhook_is_told_in_order_and_signed, |app| {
    app.fires("before it was there").await;
    app.phone("ana").rings().await.press('1').await;
    app.command(1, "resolve").await;
    app.advance("11m").await;

    let receiver = Receiver::open().await;
    follows(app, &receiver).await;
    app.fires("the disk is <full> & \"loud\"").await;
    app.phone("ana").rings().await.press('1').await;
    app.command(2, "resolve").await;
    let got = receiver.gets(3).await;
    assert_eq!(kinds(&got), ["incident_opened", "incident_acknowledged", "incident_resolved"]);
    for got in &got {
        assert_eq!((got.method.as_str(), got.path.as_str()), ("POST", "/incidents?key=hidden"));
        let (t, v1) = got.header("x-reveille-signature").split_once(",v1=").expect("a moment and a signature");
        let t = t.strip_prefix("t=").expect("a moment");
        assert_eq!(t.parse::<i64>().ok(), Some(app.clock.now().seconds()));
        assert_eq!(v1, hex(&hmac_sha256(SECRET.as_bytes(), format!("{t}.{}", got.body).as_bytes())));
        assert_eq!(got.json()["id"], got.header("x-reveille-delivery"));
        assert_eq!(got.json()["incident"]["number"], 2);
    }
    let acknowledged = got[1].json();
    assert_eq!((&acknowledged["actor"], &acknowledged["incident"]["title"]), (&"ana".into(), &"the disk is <full> & \"loud\"".into()));
    // What is told agrees with the API, key by key.
    let api = app.incident(2).await.row;
    for (key, value) in got[2].json()["incident"].as_object().expect("an object") {
        assert_eq!(value, &api[key], "{key}");
    }
});

story!(a_webhook_that_is_down_is_tried_again_and_misses_nothing, |app| {
    let receiver = Receiver::open().await;
    follows(app, &receiver).await;
    receiver.answers(500);
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    app.command(1, "resolve").await;
    receiver.gets(1).await;
    app.advance("5s").await;
    receiver.gets(2).await;
    app.advance("9s").await;
    assert_eq!(receiver.got().len(), 2, "it is left alone for longer");
    receiver.answers(204);
    app.advance("1s").await;
    let got = receiver.gets(5).await;
    assert_eq!(kinds(&got[2..]), ["incident_opened", "incident_acknowledged", "incident_resolved"]);
    let ids: Vec<&str> = got[..3].iter().map(|got| got.header("x-reveille-delivery")).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "the same delivery: {ids:?}");
    assert_eq!(count_of(app, r#"reveille_webhook_deliveries_total{webhook="ops",outcome="refused"}"#), 2);
    assert_eq!(count_of(app, r#"reveille_webhook_deliveries_total{webhook="ops",outcome="accepted"}"#), 3);
});

story!(a_webhook_that_stays_down_is_given_up_after_a_day_and_hears_what_comes_later, |app| {
    let receiver = Receiver::open().await;
    follows(app, &receiver).await;
    receiver.answers(500);
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    app.command(1, "resolve").await;
    receiver.gets(1).await;
    app.clock.advance_to(app.clock.now() + reveille::base::time::Span::hours(25));
    // Each is tried once more, and then given up.
    receiver.gets(4).await;
    receiver.answers(200);
    app.fires("another night").await;
    app.phone("ana").rings().await.press('1').await;
    app.command(2, "resolve").await;
    let got = receiver.gets(7).await;
    assert!(got[4..].iter().all(|got| got.json()["incident"]["number"] == 2), "{got:#?}");
    assert_eq!(count_of(app, r#"reveille_webhook_deliveries_total{webhook="ops",outcome="dropped"}"#), 3);
});

story!(a_webhook_into_the_own_network_is_refused_unless_it_is_allowed, |app| {
    let receiver = Receiver::open().await;
    app.applies(&with_webhook(&receiver, "")).await;
    is_followed(app).await;
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    for _ in 0..5_000 {
        if count_of(app, r#"reveille_webhook_deliveries_total{webhook="ops",outcome="refused"}"#) > 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert_eq!(count_of(app, r#"reveille_webhook_deliveries_total{webhook="ops",outcome="refused"}"#), 1);
    assert!(receiver.got().is_empty(), "{:?}", receiver.got());
    app.command(1, "resolve").await;
});

story!(a_step_that_names_a_webhook_tells_that_one_alone, |app| {
    let receiver = Receiver::open().await;
    follows(app, &receiver).await;
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    receiver.gets(2).await;
    let mut tx = app.house().store.begin(WriteLane::Rest).await.expect("a transaction");
    let incident = store::facts_after(&app.house().store.reader(), 0, 1).await.expect("facts")[0].fact.incident.clone();
    let notice = |id: &str| Fact {
        incident: incident.clone(),
        at: app.clock.now(),
        actor: Actor::Reveille,
        what: What::NoticeWanted { place: Place::Webhook(id.to_owned()), reason: Reason::PageAsked },
    };
    store::facts_append(&mut tx, &[notice("others"), notice("ops")]).await.expect("they are stored");
    tx.commit().await.expect("it commits");
    app.house().bells.webhooks.ring();
    let got = receiver.gets(3).await;
    assert_eq!(kinds(&got)[2], "notice_wanted");
    app.command(1, "resolve").await;
});

story!(a_policy_s_step_tells_a_webhook_and_moves_on_at_once, |app| {
    let receiver = Receiver::open().await;
    let team = with_webhook(&receiver, "allow_private_targets = true");
    app.applies(&team.replace("steps = [\n", "steps = [\n  { notify = [\"webhook:ops\"], escalate_after = \"5m\" },\n")).await;
    is_followed(app).await;
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    let got = receiver.gets(3).await;
    assert_eq!(kinds(&got), ["incident_opened", "notice_wanted", "incident_acknowledged"]);
    app.command(1, "resolve").await;
});

story!(a_webhook_that_leaves_the_file_is_told_nothing_more, |app| {
    let receiver = Receiver::open().await;
    follows(app, &receiver).await;
    app.applies(TEAM).await;
    for _ in 0..5_000 {
        if store::follower_find(&app.house().store.reader(), "webhook:ops").await.expect("it reads").is_none() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert!(store::follower_find(&app.house().store.reader(), "webhook:ops").await.expect("it reads").is_none());
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    assert!(receiver.got().is_empty());
});

story!(the_outside_switch_is_asked_for_only_while_pages_leave, |app| {
    let receiver = Receiver::open().await;
    assert_eq!(heartbeat::beat(app.house()).await, None, "there is none yet");
    app.applies(&TEAM.replace("[server]\n", &format!("[server]\nheartbeat_url = \"{}/ping/uuid\"\n", receiver.url))).await;
    assert_eq!(heartbeat::beat(app.house()).await, Some(()));
    let got = receiver.gets(1).await;
    assert_eq!((got[0].method.as_str(), got[0].path.as_str()), ("GET", "/ping/uuid"));

    // Somebody else's trouble is no trouble of the pages.
    receiver.answers(500);
    assert_eq!(heartbeat::beat(app.house()).await, None);
    receiver.answers(200);
    receiver.gets(2).await;

    // The clock moves and the courier, as it were, does not.
    let house = app.house().clone();
    let stuck = reveille::flows::House { page_lane: reveille::flows::Pulse::default(), ..house.clone() };
    assert!(matches!(heartbeat::examine(&stuck).await, Err(Unwell::Courier(_))));
    // A wake-up that nobody can carry out.
    let id = reveille::base::id::IncidentId::make(&mut IdSource::fresh(app.clock.now()));
    let due = (app.clock.now() - reveille::base::time::Span::minutes(2)).0;
    app.sql(&format!("INSERT INTO wakes (scope, id, name, nudge, due_at) VALUES ('nobody', '{}', 'escalate', '', {due})", id.as_str()))
        .await;
    assert!(matches!(heartbeat::examine(&house).await, Err(Unwell::Wakes(_))));
    assert_eq!(heartbeat::beat(&house).await, None);
    app.sql("DELETE FROM wakes WHERE scope = 'nobody'").await;
    assert_eq!(heartbeat::examine(&house).await, Ok(()));
    // A database that can be read and not written.
    app.sql("ALTER TABLE leases RENAME TO leases_elsewhere").await;
    assert!(matches!(heartbeat::examine(&house).await, Err(Unwell::Database(_))));
    assert_eq!(heartbeat::beat(&house).await, None);
    app.sql("ALTER TABLE leases_elsewhere RENAME TO leases").await;
    assert_eq!(heartbeat::beat(&house).await, Some(()));
    receiver.gets(3).await;
});
