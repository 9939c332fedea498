//! What keeps alerts from calling people at once, and what wakes them all the same: a service's `quiet_for`, `flapping` and `raise`.

use super::Objects;
use crate::base::limits;
use crate::base::time::Span;
use crate::boot::config::reader::{Table, shown};
use crate::domain::setup::{Flapping, Service};

const FLAPPING: &[&str] = &["bucket", "high", "low"];

impl<'a> Objects<'_, 'a> {
    pub(super) fn raise(&self, service: &mut Service, table: &Table<'a>) {
        let Some(field) = self.reader.get(table, "raise") else { return };
        for (text, spot) in self.reader.texts(field).into_iter().flatten() {
            match text {
                "new" => service.raise.new = true,
                "rising" => service.raise.rising = true,
                _ => self.reader.error(
                    spot,
                    format!("{} raises nothing", shown(text)),
                    "write \"new\" for the first of its kind, \"rising\" for a rate that jumps, or both",
                ),
            }
        }
    }

    pub(super) fn quiet(&self, service: &mut Service, table: &Table<'a>) {
        let reader = self.reader;
        if let Some(field) = reader.get(table, "quiet_for")
            && let Some(span) = reader.span(field)
        {
            if span > limits::QUIET_LONGEST {
                reader.error(
                    field.spot(),
                    "quiet_for is longer than an hour, and nobody hears of anything until then",
                    "write an hour or less",
                );
            }
            service.quiet_for = span;
        }
        let Some(field) = reader.get(table, "flapping") else { return };
        if !field.is_table() {
            service.flapping = reader.truth(field).filter(|wanted| *wanted).map(|_| Flapping::default());
            return;
        }
        let Some(given) = reader.table(field, &format!("flapping of service {}", service.id), FLAPPING) else { return };
        let mut flapping = Flapping::default();
        if let Some(field) = reader.get(&given, "bucket")
            && let Some(bucket) = reader.span(field)
        {
            if bucket < Span::seconds(1) || bucket > limits::FLAP_BUCKET_LONGEST {
                reader.error(field.spot(), "a bucket is between one second and one hour long", "write it as 1m");
            } else {
                flapping.bucket = bucket;
            }
        }
        let percent = |name| reader.get(&given, name).and_then(|field| reader.whole(field, 1..=100));
        flapping.high = percent("high").unwrap_or(flapping.high);
        flapping.low = percent("low").unwrap_or(flapping.low.min(flapping.high / 2).max(1));
        if flapping.low >= flapping.high {
            reader.error(
                field.spot(),
                "flapping ends below low and begins at high, so low has to be less",
                "write { high = 30, low = 15 }",
            );
        }
        service.flapping = Some(flapping);
    }
}
