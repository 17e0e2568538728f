//! Mail, through the server that the operator names.

use std::{fmt, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};

/// How long the server may take for each of its answers.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// The server that takes mail, and who sends it.
#[derive(Clone)]
pub struct MailServer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// A message to one person.
pub(crate) struct Letter<'l> {
    pub(crate) to: &'l str,
    pub(crate) subject: &'l str,
    pub(crate) text: &'l str,
    /// Names the message: the same again when it is sent again. Of letters, digits, `.` and `-`.
    pub(crate) id: &'l str,
}

/// Why mail cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The URL is none, or of another kind.
    #[error("the mail server has to be smtp://HOST:PORT, smtps://HOST, or smtp://HOST?tls=required: {0}")]
    Server(lettre::transport::smtp::Error),
    /// An address is none.
    #[error("\"{address}\" is no mail address: {source}")]
    Address {
        /// The text.
        address: String,
        /// What is wrong with it.
        source: lettre::address::AddressError,
    },
    /// The message cannot be written.
    #[error("the mail cannot be written: {0}")]
    Message(#[from] lettre::error::Error),
    /// The server does not take it, or is not there.
    #[error("the mail could not be sent: {0}")]
    Refused(lettre::transport::smtp::Error),
}

impl MailServer {
    /// Reads `smtp://USER:PASSWORD@HOST:PORT` (plain, or encrypted with `?tls=required`) or `smtps://…` (encrypted from the
    /// beginning), and the sender. Nothing is connected to yet. Has to be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`MailError::Server`], [`MailError::Address`].
    pub fn new(url: &str, from: &str) -> Result<Self, MailError> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .map_err(MailError::Server)?
            .timeout(Some(ANSWER_TIMEOUT))
            .build();
        Ok(Self { transport, from: mailbox(from)? })
    }

    /// Sends a message; the server has taken it when this returns.
    pub(crate) async fn send(&self, letter: &Letter<'_>) -> Result<(), MailError> {
        // A subject is one line, whatever the record holds that it is made of.
        let subject = letter.subject.replace(char::is_control, " ");
        let message = Message::builder()
            .from(self.from.clone())
            .to(mailbox(letter.to)?)
            .subject(subject)
            .message_id(Some(format!("<{}@{}>", letter.id, self.from.email.domain())))
            .header(ContentType::TEXT_PLAIN)
            .body(letter.text.to_owned())?;
        self.transport.send(message).await.map(drop).map_err(MailError::Refused)
    }
}

/// Without the password.
impl fmt::Debug for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailServer").field("from", &self.from).finish_non_exhaustive()
    }
}

fn mailbox(address: &str) -> Result<Mailbox, MailError> {
    address.trim().parse().map_err(|source| MailError::Address { address: address.to_owned(), source })
}
