//! The routing rules: `[[route]]`, in the order of the file.

use std::collections::BTreeMap;

use super::{ALERT_SEVERITIES, Named, Objects, in_file_order};
use crate::base::id::{IntegrationId, PolicyId, RouteId, ServiceId};
use crate::base::{limits, written};
use crate::boot::config::reader::{Field, Spot, Table, shown};
use crate::domain::matcher::{Matcher, Wrong};
use crate::domain::routing::{Gives, Route};
use crate::domain::template::{Expression, Template};

pub(super) const ROUTE: &[&str] =
    &["id", "source", "integration", "match", "expression", "service", "severity", "policy", "record", "title", "labels"];

/// How a matcher is written.
const MATCHER: &str = "write it as 'team=\"db\"', with one of =, !=, =~ and !~";
const EXPRESSION: &str = "write it as 'labels.team == \"db\" and \"disk\" in title'";
const TEMPLATE: &str = "write it as \"{{ labels.host }}: {{ title }}\"";

impl<'a> Objects<'_, 'a> {
    pub(super) fn routes(&self, named: &Named<'a>) -> Vec<Route> {
        if let Some((_, table)) = in_file_order(named).get(limits::ROUTES) {
            let text = format!("there are {} rules, and each signal may have to pass them all", named.len());
            self.reader.error(Spot::File(table.spot), text, format!("leave {} of them at most", limits::ROUTES));
        }
        in_file_order(named).into_iter().map(|(id, table)| self.route(id, table)).collect()
    }

    fn route(&self, id: &str, table: &Table<'a>) -> Route {
        let reader = self.reader;
        let source = reader.get(table, "source").and_then(|field| {
            let text = reader.text(field)?;
            self.known(text, field.spot(), "source", super::SOURCES)
        });
        let integration = reader.get(table, "integration").and_then(|field| self.reference(field, "integration", &self.integrations));
        let matchers = reader.get(table, "match").and_then(|field| reader.texts(field)).unwrap_or_default();
        let matchers = matchers.into_iter().map(|(text, spot)| {
            let matcher = Matcher::from(text);
            self.refuse(matcher.wrong(), text, spot, MATCHER);
            matcher
        });
        let matchers = matchers.collect();
        let expression = reader.get(table, "expression").and_then(|field| {
            let text = reader.text(field)?;
            let expression = Expression::from(text);
            self.refuse(expression.wrong(), text, field.spot(), EXPRESSION);
            Some(expression)
        });
        let service = reader.get(table, "service").and_then(|field| self.reference(field, "service", &self.services));
        let policy = reader.get(table, "policy").and_then(|field| self.reference(field, "policy", &self.policies));
        let gives = Gives {
            service: service.map(ServiceId::from_text),
            severity: reader.get(table, "severity").and_then(|field| reader.word(field, ALERT_SEVERITIES)),
            policy: policy.map(PolicyId::from_text),
            record: reader.get(table, "record").and_then(|field| reader.truth(field)).unwrap_or_default(),
            title: reader.get(table, "title").and_then(|field| self.template(field)),
            labels: reader.get(table, "labels").map(|field| self.labels(id, field)).unwrap_or_default(),
        };
        Route { id: RouteId::from_text(id), source, integration: integration.map(IntegrationId::from_text), matchers, expression, gives }
    }

    fn labels(&self, id: &str, field: Field<'a>) -> BTreeMap<String, Template> {
        let mut labels = BTreeMap::new();
        for (name, field) in self.reader.entries(field, &format!("labels of route {id}")) {
            if written::line_within(name, limits::LABEL_CHARS) != name {
                self.reader.error(field.spot(), format!("{} is no name of a label", shown(name)), "use letters, digits and _");
            }
            labels.extend(self.template(field).map(|template| (name.to_owned(), template)));
        }
        labels
    }

    pub(super) fn template(&self, field: Field<'a>) -> Option<Template> {
        let text = self.reader.text(field)?;
        let template = Template::from(text);
        self.refuse(template.wrong(), text, field.spot(), TEMPLATE);
        Some(template)
    }

    /// Complains of what is wrong with a text, where in the text it is.
    pub(super) fn refuse(&self, wrong: Option<&Wrong>, text: &str, spot: Spot<'a>, suggestion: &str) {
        if let Some(wrong) = wrong {
            self.reader.error(self.reader.within(spot, text, wrong.at), format!("{}: {}", shown(text), wrong.text), suggestion);
        }
    }
}
