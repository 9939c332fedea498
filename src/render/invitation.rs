//! The mail that brings somebody their sign-in link.

use askama::Template;

use super::letter::Mail;
use crate::base::limits;
use crate::domain::setup::Language;

struct Phrases {
    subject: &'static str,
    hello: &'static str,
    what: &'static str,
    button: &'static str,
    how_long: &'static str,
    not_you: &'static str,
}

const fn phrases(language: Language) -> &'static Phrases {
    match language {
        Language::En => &Phrases {
            subject: "Your invitation to Reveille",
            hello: "Hello",
            what: "Reveille wakes people when something breaks, and you are one of them. This link signs you in and lets you choose a password:",
            button: "Sign in",
            how_long: "It works once, within a day. Nobody else should have it.",
            not_you: "If this says nothing to you, leave it: nothing happens.",
        },
        Language::Fr => &Phrases {
            subject: "Votre invitation à Reveille",
            hello: "Bonjour",
            what: "Reveille réveille des gens quand quelque chose casse, et vous en êtes. Ce lien vous connecte et vous laisse choisir un mot de passe :",
            button: "Se connecter",
            how_long: "Il sert une seule fois, dans la journée. Ne le donnez à personne.",
            not_you: "Si cela ne vous dit rien, n’en faites rien : il ne se passera rien.",
        },
        Language::De => &Phrases {
            subject: "Ihre Einladung zu Reveille",
            hello: "Guten Tag",
            what: "Reveille weckt Menschen, wenn etwas kaputtgeht, und Sie gehören dazu. Mit diesem Link melden Sie sich an und wählen ein Passwort:",
            button: "Anmelden",
            how_long: "Er gilt einmal und einen Tag lang. Geben Sie ihn niemandem.",
            not_you: "Wenn Ihnen das nichts sagt, lassen Sie es liegen: es geschieht nichts.",
        },
        Language::Es => &Phrases {
            subject: "Su invitación a Reveille",
            hello: "Hola",
            what: "Reveille despierta a personas cuando algo se rompe, y usted es una de ellas. Con este enlace inicia sesión y elige una contraseña:",
            button: "Iniciar sesión",
            how_long: "Sirve una sola vez, durante un día. No se lo dé a nadie.",
            not_you: "Si esto no le dice nada, déjelo: no pasará nada.",
        },
    }
}

#[derive(Template)]
#[template(path = "mail/invitation.html")]
struct Page<'a> {
    language: &'static str,
    name: &'a str,
    link: &'a str,
    p: &'static Phrases,
}

/// An invitation in this language.
///
/// # Panics
/// Never: the template holds nothing that can fail.
#[must_use]
pub fn mail(name: &str, link: &str, language: Language) -> Mail {
    let p = phrases(language);
    let name = super::brief::plain(name, limits::TITLE_CHARS);
    let text = format!("{} {name},\n\n{}\n\n{link}\n\n{}\n{}\n", p.hello, p.what, p.how_long, p.not_you);
    let page = Page { language: language.name(), name: &name, link, p };
    let html = page.render().expect("a template of plain values renders");
    Mail { subject: p.subject.to_owned(), text, html }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_carries_the_link_and_strangers_words_stay_words() {
        let link = "https://reveille.example.com/sign-in/abc";
        for language in Language::ALL {
            let mail = mail("Ana <b>Ruiz</b>\r\nBcc: eve", link, language);
            assert!(mail.text.contains(link) && mail.html.contains(&format!("href=\"{link}\"")), "{}", mail.html);
            assert!(!mail.html.contains("<b>") && !mail.text.contains("\nBcc") && !mail.subject.is_empty(), "{}", mail.text);
            assert!(mail.html.contains(&format!("lang=\"{}\"", language.name())));
        }
    }
}
