//! Signed tokens: who signed in, and until when.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use store::UserId;

use crate::http::error::ApiError;

/// How long a token is good for.
const LIFETIME_SECONDS: i64 = 7 * 24 * 60 * 60;

/// Makes and checks tokens with one secret.
pub(crate) struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// Who signed in.
    #[serde(rename = "userId")]
    pub(crate) user_id: UserId,
    /// When, in seconds since 1970.
    pub(crate) iat: i64,
    exp: i64,
}

impl Tokens {
    /// Takes the secret of this data directory.
    pub(crate) fn new(secret: &[u8]) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // By the clock of this machine, which may be wrong: what another host has issued would be judged by two clocks.
        validation.validate_exp = false;
        Self { encoding: EncodingKey::from_secret(secret), decoding: DecodingKey::from_secret(secret), validation }
    }

    /// Makes a token that is good for seven days from `now_seconds`.
    pub(crate) fn issue(&self, user_id: UserId, now_seconds: i64) -> Result<String, ApiError> {
        let claims = Claims { user_id, iat: now_seconds, exp: now_seconds + LIFETIME_SECONDS };
        encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .map_err(|error| ApiError::Internal(error.to_string()))
    }

    /// Reads a token at `now_seconds`, by the clock that tokens are issued by.
    ///
    /// # Errors
    ///
    /// [`ApiError::InvalidToken`] if it is broken, signed with another secret, or expired.
    pub(crate) fn read(&self, token: &str, now_seconds: i64) -> Result<Claims, ApiError> {
        decode::<Claims>(token, &self.decoding, &self.validation)
            .ok()
            .map(|data| data.claims)
            .filter(|claims| claims.exp >= now_seconds)
            .ok_or(ApiError::InvalidToken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        let now = 1_900_000_000;
        let tokens = Tokens::new(b"secret");
        let good = tokens.issue(UserId(7), now).expect("a token");
        assert_eq!(tokens.read(&good, now).expect("good").user_id, UserId(7));
        assert!(tokens.read(&good, now + LIFETIME_SECONDS).is_ok(), "to its last second");
        let old = tokens.issue(UserId(7), now - LIFETIME_SECONDS - 1).expect("a token");
        let foreign = Tokens::new(b"other").issue(UserId(7), now).expect("a token");
        let unsigned = "eyJhbGciOiJub25lIn0.eyJ1c2VySWQiOjcsImlhdCI6MSwiZXhwIjo5OTk5OTk5OTk5fQ.";
        for bad in [old.as_str(), &foreign, &good[..good.len() - 6], unsigned, "", "x.y.z", "é"] {
            assert!(matches!(tokens.read(bad, now), Err(ApiError::InvalidToken)), "{bad}");
        }
    }
}
