//! Trying a body.

/// A body, and whose it is.
#[derive(Debug, Clone, clap::Args)]
pub struct Route {
    /// The file with the body; - is the standard input
    #[arg(value_name = "FILE")]
    pub file: String,
    /// The kind of sender, where only one integration is of that kind
    #[arg(long, value_name = "SOURCE", conflicts_with = "integration")]
    pub source: Option<String>,
    /// The integration's id, as in the configuration
    #[arg(long, value_name = "ID")]
    pub integration: Option<String>,
    /// A header that the sender would send; may be given several times
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub headers: Vec<(String, String)>,
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write it as 'Name: value'")?;
    if name.trim().is_empty() {
        return Err("it has no name before the colon".to_owned());
    }
    Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
}
