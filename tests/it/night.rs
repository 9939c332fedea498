//! The thinnest whole path: one signal wakes one human.

use crate::story;

story!(nobody_answers_and_the_next_person_presses_one, |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    // Phones let a second call within three minutes through "do not disturb".
    app.phone("ana").rings_after("2m").await.ignore();
    let said = app.phone("bo").rings_after("3m").await.press('1').await;
    assert!(said.contains("acknowledged"), "{said}");
    app.incident(1).await.is_acknowledged_by("bo");
    app.advance("20m").await;
    app.phone("ana").is_silent().await;
});
