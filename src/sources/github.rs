//! GitHub's webhooks: workflow runs and their jobs, deployments, checks, and the alerts of code scanning and Dependabot.
//!
//! `X-GitHub-Event` names the event; where a proxy has dropped it, the body is looked at. What runs again and again has its place as the
//! key, repository, workflow and branch, and the next success there resolves it. Bodies are signed with `X-Hub-Signature-256`, and come
//! as JSON or as a form with one field. The events: <https://docs.github.com/en/webhooks/webhook-events-and-payloads>.

use serde_json::Value;

use super::field;
use super::reading::{self, Labels};
use super::{Signature, Source};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::time::{Span, Time};
use crate::domain::input::{Action, Signal};
use crate::domain::setup::{AlertSeverity, Integration};

pub struct Github;

const GUIDE: &str = "\
1. In the repository’s or the organisation’s settings open **Webhooks**, **Add webhook**.
2. Paste `{url}` as the **Payload URL** and choose the content type `application/json`.
3. Make up a **Secret**, and give the same one to this integration as its `secret`: GitHub signs every body with it.
4. Choose **individual events**: **Workflow runs** and **Deployment statuses** are the telling ones; **Code scanning alerts** and \
**Dependabot alerts** if you want them here. Leave out **Workflow jobs** and **Check runs** where workflow runs are sent: they tell of the \
same failure again.

A run that fails fires, and the next success of the same workflow on the same branch resolves it. It has \
no severity: the integration’s own counts, `error` unless it is set. Runs for pull requests are left alone, and so are those for the merge queue \
and the checks of forks: they keep a change out, and break nothing that is in. \
A deployment that succeeds is kept as a change. GitHub’s ping is answered and wakes nobody. GitHub never sends a body again by itself: \
what it lost can be redelivered from the webhook’s page.
";

impl Source for Github {
    fn name(&self) -> &'static str {
        "github"
    }

    fn title(&self) -> &'static str {
        "GitHub"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn signature(&self) -> Option<Signature> {
        Some(Signature { header: "x-hub-signature-256", prefix: "sha256=", timestamp: None })
    }

    /// The same when somebody redelivers it by hand.
    fn delivery(&self, inbound: &Inbound) -> Option<String> {
        inbound.header("x-github-delivery").map(str::trim).filter(|id| !id.is_empty()).map(reading::key)
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        signals(inbound.header("x-github-event"), &body(inbound)?, integration)
    }
}

/// The form is what GitHub offers first.
fn body(inbound: &Inbound) -> Result<Value, String> {
    let is_form = inbound.body.starts_with(b"payload=");
    let payload = is_form.then(|| form_urlencoded::parse(&inbound.body).find(|(name, _)| name == "payload")).flatten();
    payload.map_or_else(|| reading::json(&inbound.body), |(_, payload)| reading::json(payload.as_bytes()))
}

fn signals(header: Option<&str>, body: &Value, integration: &Integration) -> Result<Vec<Signal>, String> {
    reading::as_object(body)?;
    let event = header.map(str::trim).filter(|event| !event.is_empty()).or_else(|| guess(body));
    let event = event.ok_or("it has no event that GitHub is known to send, nor the header X-GitHub-Event")?;
    let told = match event {
        "workflow_run" => workflow_run(body)?,
        "workflow_job" => workflow_job(body)?,
        "check_run" => check_run(body)?,
        "deployment_status" => deployment_status(body)?,
        "code_scanning_alert" => code_scanning_alert(body)?,
        "dependabot_alert" => dependabot_alert(body)?,
        _ => aside(event),
    };
    let mut labels = Labels::default();
    labels.put("event", event);
    labels.put_scalar("action", body.get("action"));
    labels.put_scalar("repository", body["repository"].get("full_name"));
    labels.put_scalar("organization", body["organization"].get("login"));
    for (name, value) in &told.labels {
        labels.put(name, value);
    }
    let signal = Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&told.key),
        title: told.title,
        severity: told.severity,
        action: told.action,
        at: told.at,
        ends_at: None,
        url: told.url.or_else(|| link(&body["repository"], "html_url")),
        labels: labels.done(),
    };
    let change = told.change.map(|change| Signal { action: Action::Change(change), ..signal.clone() });
    Ok([Some(signal), change].into_iter().flatten().collect())
}

fn guess(body: &Value) -> Option<&'static str> {
    let objects = ["workflow_run", "workflow_job", "check_run", "deployment_status"];
    if let Some(event) = objects.into_iter().find(|name| body[*name].is_object()) {
        return Some(event);
    }
    let alert = &body["alert"];
    if alert["rule"].is_object() {
        Some("code_scanning_alert")
    } else if alert["dependency"].is_object() || alert["security_advisory"].is_object() {
        Some("dependabot_alert")
    } else if !body["zen"].is_null() || !body["hook_id"].is_null() {
        Some("ping")
    } else {
        None
    }
}

/// What a body says, whichever event it is.
struct Told {
    key: String,
    title: String,
    severity: Option<AlertSeverity>,
    action: Action,
    /// What was changed on purpose besides.
    change: Option<String>,
    at: Option<Time>,
    url: Option<String>,
    labels: Vec<(&'static str, String)>,
}

/// `docs/api: ` before the news.
fn title(body: &Value, what: &str, news: &str) -> String {
    let repository = reading::text(&body["repository"]["full_name"]).unwrap_or_else(|| "GitHub".to_owned());
    reading::title(&format!("{repository}: {what}"), news)
}

/// Ids stay when a repository is renamed; without one the name has to do.
fn key(body: &Value, parts: &[String]) -> Result<String, String> {
    let repository = reading::scalar(body["repository"].get("id")).or_else(|| reading::scalar(body["repository"].get("full_name")));
    let repository = repository.ok_or("it has no repository")?;
    Ok(format!("{repository}/{}", parts.join("/")))
}

fn named(value: &Value) -> String {
    reading::text(value).unwrap_or_default()
}

fn link(of: &Value, name: &str) -> Option<String> {
    of[name].as_str().and_then(reading::url)
}

/// What GitHub has added since fires: rather one call too many than none. What was skipped, cancelled or waits for somebody says neither
/// that it is broken nor that it is mended.
fn concluded(body: &Value, conclusion: &str, what: &str) -> Action {
    match conclusion {
        _ if !is_over(body, conclusion) => Action::Ignore(format!("a {what} that is not over yet")),
        "success" => Action::Resolve,
        "cancelled" | "skipped" | "neutral" | "stale" | "action_required" => {
            Action::Ignore(format!("a {what} that neither failed nor succeeded"))
        }
        _ => Action::Trigger,
    }
}

fn is_over(body: &Value, conclusion: &str) -> bool {
    body["action"].as_str().map_or(!conclusion.is_empty(), |action| action == "completed")
}

/// `failed on main`.
fn news(body: &Value, conclusion: &str, branch: &str) -> String {
    let said = match conclusion {
        _ if !is_over(body, conclusion) => "is on its way",
        "success" => "succeeded",
        "failure" | "" => "failed",
        "timed_out" => "timed out",
        "startup_failure" => "failed to start",
        "action_required" => "waits for somebody",
        other => other,
    };
    if branch.is_empty() { said.to_owned() } else { format!("{said} on {}", reading::line(branch, limits::LABEL_CHARS)) }
}

/// Runs are ordered by their number, then by attempt, not by when they ended: an older run that fails late says nothing of the newer one
/// that has succeeded. A run's number grows with the second it was created in, which an attempt leaves as it is.
fn workflow_run(body: &Value) -> Result<Told, String> {
    let run = &body["workflow_run"];
    let workflow = reading::scalar(run.get("workflow_id")).or_else(|| reading::scalar(run.get("path")));
    let workflow = workflow.ok_or("it has no workflow_run with a workflow_id")?;
    let (branch, conclusion) = (named(&run["head_branch"]), named(&run["conclusion"]));
    let name = ["name", "path"].iter().find_map(|name| reading::text(&run[*name]).or_else(|| reading::text(&body["workflow"][*name])));
    let name = name.unwrap_or_else(|| workflow.clone());
    let of_pull_request = run["event"].as_str().is_some_and(|event| event.starts_with("pull_request"));
    let aside = of_pull_request.then_some("a run for a pull request");
    let aside = aside.or_else(|| (run["event"] == "merge_group" || is_queued(&branch)).then_some("a run for the merge queue"));
    let within = |name: &str, most: i64| run[name].as_i64().unwrap_or_default().max(0) % most;
    let order = within("run_number", 1_000) * 1_000 + within("run_attempt", 1_000);
    Ok(Told {
        key: key(body, &[workflow, branch.clone()])?,
        title: title(body, &format!("workflow {name}"), &news(body, &conclusion, &branch)),
        severity: None,
        action: aside.map_or_else(|| concluded(body, &conclusion, "run"), |why| Action::Ignore(why.to_owned())),
        change: None,
        at: reading::instant(&run["created_at"]).map(|at| Time::from_seconds(at.seconds()) + Span(order)),
        url: link(run, "html_url"),
        labels: vec![
            ("workflow", name),
            ("branch", branch),
            ("conclusion", conclusion),
            ("trigger", named(&run["event"])),
            ("run_number", named(&run["run_number"])),
            ("run_attempt", named(&run["run_attempt"])),
            ("commit", named(&run["head_sha"])),
            ("display_title", named(&run["display_title"])),
        ],
    })
}

/// Whether a branch was made for the merge queue: each try of a pull request has one of its own, which fails without harm to any other.
fn is_queued(branch: &str) -> bool {
    branch.starts_with("gh-readonly-queue/")
}

fn workflow_job(body: &Value) -> Result<Told, String> {
    let job = &body["workflow_job"];
    let name = reading::text(&job["name"]).ok_or("it has no workflow_job with a name")?;
    let (workflow, branch) = (named(&job["workflow_name"]), named(&job["head_branch"]));
    let conclusion = named(&job["conclusion"]);
    let what = if workflow.is_empty() { format!("job {name}") } else { format!("job {name} of {workflow}") };
    Ok(Told {
        key: key(body, &["job".to_owned(), workflow.clone(), name.clone(), branch.clone()])?,
        title: title(body, &what, &news(body, &conclusion, &branch)),
        severity: None,
        action: if is_queued(&branch) {
            Action::Ignore("a job for the merge queue".to_owned())
        } else {
            concluded(body, &conclusion, "job")
        },
        change: None,
        at: ["created_at", "started_at", "completed_at"].iter().find_map(|name| reading::instant(&job[*name])),
        url: link(job, "html_url"),
        labels: vec![
            ("workflow", workflow),
            ("job", name),
            ("branch", branch),
            ("conclusion", conclusion),
            ("runner", named(&job["runner_name"])),
            ("runner_labels", field::joined(job.get("labels")).unwrap_or_default()),
            ("run_attempt", named(&job["run_attempt"])),
            ("commit", named(&job["head_sha"])),
        ],
    })
}

fn check_run(body: &Value) -> Result<Told, String> {
    let check = &body["check_run"];
    let name = reading::text(&check["name"]).ok_or("it has no check_run with a name")?;
    let (app, branch) = (named(&check["app"]["name"]), named(&check["check_suite"]["head_branch"]));
    let conclusion = named(&check["conclusion"]);
    // The default branch may be the head of a pull request too, and is watched all the same.
    let of_pull_request = check["pull_requests"].as_array().is_some_and(|requests| !requests.is_empty())
        && check["check_suite"]["head_branch"] != body["repository"]["default_branch"];
    let aside = match branch.as_str() {
        _ if of_pull_request => Some("a check for a pull request"),
        // The commits of a fork are on no branch here.
        _ if check["check_suite"].get("head_branch").is_some_and(Value::is_null) => Some("a check of a fork, or of what is on no branch"),
        branch if is_queued(branch) => Some("a check for the merge queue"),
        _ => None,
    };
    Ok(Told {
        key: key(body, &["check".to_owned(), app.clone(), name.clone(), branch.clone()])?,
        title: title(body, &format!("check {name}"), &news(body, &conclusion, &branch)),
        severity: None,
        action: aside.map_or_else(|| concluded(body, &conclusion, "check"), |why| Action::Ignore(why.to_owned())),
        change: None,
        at: reading::instant(&check["started_at"]).or_else(|| reading::instant(&check["completed_at"])),
        url: link(check, "html_url").or_else(|| link(check, "details_url")),
        labels: vec![
            ("check", name),
            ("app", app),
            ("branch", branch),
            ("conclusion", conclusion),
            ("summary", named(&check["output"]["title"])),
            ("commit", named(&check["head_sha"])),
        ],
    })
}

fn deployment_status(body: &Value) -> Result<Told, String> {
    let (status, deployment) = (&body["deployment_status"], &body["deployment"]);
    let state = reading::text(&status["state"]).ok_or("it has no deployment_status with a state")?;
    let environment = reading::text(&status["environment"]).or_else(|| reading::text(&deployment["environment"])).unwrap_or_default();
    let (action, said) = match state.as_str() {
        "success" => (Action::Resolve, "succeeded"),
        "pending" | "queued" | "waiting" | "in_progress" => {
            (Action::Ignore("a deployment that is not over yet".to_owned()), "is on its way")
        }
        "inactive" => (Action::Ignore("a deployment that another has replaced".to_owned()), "was replaced"),
        _ => (Action::Trigger, "failed"),
    };
    // Several things may be deployed to one environment, `deploy:docs` and `deploy:billing`.
    let task = reading::text(&deployment["task"]).filter(|task| task != "deploy");
    let of_task = task.as_ref().map(|task| format!(" ({task})")).unwrap_or_default();
    let what = if environment.is_empty() { format!("deployment{of_task}") } else { format!("deployment to {environment}{of_task}") };
    let place = ["deployment".to_owned(), environment.clone()].into_iter().chain(task).collect::<Vec<_>>();
    Ok(Told {
        key: key(body, &place)?,
        title: title(body, &what, said),
        severity: None,
        change: (action == Action::Resolve).then(|| "a deployment, reported by GitHub".to_owned()),
        action,
        at: reading::instant(&status["created_at"]).or_else(|| reading::instant(&status["updated_at"])),
        url: ["log_url", "target_url", "environment_url"].iter().find_map(|name| link(status, name)),
        labels: vec![
            ("environment", environment),
            ("state", state),
            ("ref", named(&deployment["ref"])),
            ("commit", named(&deployment["sha"])),
            ("task", named(&deployment["task"])),
            ("description", named(&status["description"])),
            ("transient_environment", named(&deployment["transient_environment"])),
            ("environment_url", link(status, "environment_url").unwrap_or_default()),
        ],
    })
}

/// Whether an alert of the repository is open, by what was done to it; what GitHub has added since counts by the alert's state.
fn opened(action: &str, alert: &Value) -> Action {
    let is_over = matches!(alert["state"].as_str(), Some("fixed" | "dismissed" | "auto_dismissed" | "closed" | "resolved"));
    match action {
        "created" | "reopened" | "reopened_by_user" | "appeared_in_branch" | "reintroduced" | "auto_reopened" => Action::Trigger,
        "fixed" | "closed_by_user" | "dismissed" | "auto_dismissed" => Action::Resolve,
        "updated_assignment" | "assignees_changed" => Action::Ignore("an alert was assigned at GitHub".to_owned()),
        _ if is_over => Action::Resolve,
        _ => Action::Trigger,
    }
}

/// The newest moment that an alert knows of. Some events have no time of their own, and were later than that: they count as a
/// microsecond later, so that only the alert's beginning, delivered late, is older than its end.
fn alert_at(action: &str, alert: &Value) -> Option<Time> {
    let names = ["created_at", "updated_at", "fixed_at", "dismissed_at", "auto_dismissed_at"];
    let known = names.iter().filter_map(|name| reading::instant(&alert[*name])).max()?;
    Some(if action == "created" { known } else { known + Span(1) })
}

fn code_scanning_alert(body: &Value) -> Result<Told, String> {
    let alert = &body["alert"];
    let number = reading::scalar(alert.get("number")).ok_or("it has no code scanning alert with a number")?;
    let (rule, action) = (&alert["rule"], named(&body["action"]));
    let what =
        ["description", "name", "id"].iter().find_map(|name| reading::text(&rule[*name])).unwrap_or_else(|| format!("alert {number}"));
    let tool = named(&alert["tool"]["name"]);
    Ok(Told {
        key: key(body, &["code-scanning".to_owned(), number])?,
        title: title(body, &what, &format!("({})", if tool.is_empty() { "code scanning" } else { &tool })),
        severity: severity(&rule["security_severity_level"]).or_else(|| severity(&rule["severity"])),
        at: alert_at(&action, alert),
        action: opened(&action, alert),
        change: None,
        url: link(alert, "html_url"),
        labels: vec![
            ("rule", named(&rule["id"])),
            ("tool", tool),
            ("state", named(&alert["state"])),
            ("ref", named(&body["ref"])),
            ("path", named(&alert["most_recent_instance"]["location"]["path"])),
            ("commit", named(&body["commit_oid"])),
        ],
    })
}

fn dependabot_alert(body: &Value) -> Result<Told, String> {
    let alert = &body["alert"];
    let number = reading::scalar(alert.get("number")).ok_or("it has no Dependabot alert with a number")?;
    let (advisory, dependency, action) = (&alert["security_advisory"], &alert["dependency"], named(&body["action"]));
    let package = named(&dependency["package"]["name"]);
    let what = reading::text(&advisory["summary"]).unwrap_or_else(|| format!("alert {number}"));
    Ok(Told {
        key: key(body, &["dependabot".to_owned(), number])?,
        title: title(body, &what, &format!("({})", if package.is_empty() { "Dependabot" } else { &package })),
        severity: severity(&advisory["severity"]).or_else(|| severity(&alert["security_vulnerability"]["severity"])),
        at: alert_at(&action, alert),
        action: opened(&action, alert),
        change: None,
        url: link(alert, "html_url"),
        labels: vec![
            ("package", package),
            ("ecosystem", named(&dependency["package"]["ecosystem"])),
            ("manifest", named(&dependency["manifest_path"])),
            ("scope", named(&dependency["scope"])),
            ("state", named(&alert["state"])),
            ("ghsa_id", named(&advisory["ghsa_id"])),
            ("cve_id", named(&advisory["cve_id"])),
        ],
    })
}

/// Of its seventy events, those that tell of a failure are read. Who sends them all must not be called for each push.
fn aside(event: &str) -> Told {
    let event = reading::line(event, limits::LABEL_CHARS);
    let why = if event == "ping" { "GitHub's ping".to_owned() } else { format!("GitHub's event {event}, which tells of no failure") };
    Told {
        key: "github:aside".to_owned(),
        title: reading::line(&format!("GitHub sent the event {event}"), limits::TITLE_CHARS),
        severity: None,
        action: Action::Ignore(why),
        change: None,
        at: None,
        url: None,
        labels: Vec::new(),
    }
}

/// The words of advisories and of rules.
fn severity(word: &Value) -> Option<AlertSeverity> {
    match word.as_str()?.trim().to_ascii_lowercase().as_str() {
        "critical" => Some(AlertSeverity::Critical),
        "high" | "error" => Some(AlertSeverity::Error),
        "medium" | "moderate" | "warning" => Some(AlertSeverity::Warning),
        "low" | "note" | "none" => Some(AlertSeverity::Info),
        _ => None,
    }
}
