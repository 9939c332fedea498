//! Listens to those who send over connections that we open: Slack's Socket Mode.

use crate::flows::House;
use crate::flows::ear;

pub(super) async fn run(house: House) {
    ear::listen(&house).await;
}
