//! Words and brackets of a text map, with their lines.

use super::error::{TextError, TextErrorKind};
use std::{string::ToString, vec::Vec};

#[derive(Clone, Copy)]
struct Token<'t> {
	text: &'t str,
	line: usize,
}

/// The text's tokens and a place in them.
pub(super) struct Tokens<'t> {
	tokens: Vec<Token<'t>>,
	next: usize,
}

fn is_word(c: char) -> bool {
	c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+')
}

impl<'t> Tokens<'t> {
	pub(super) fn new(text: &'t str) -> Result<Self, TextError> {
		let mut tokens = Vec::new();
		for (line, full) in (1..).zip(text.lines()) {
			let mut rest = full.split('#').next().unwrap_or_default().trim_start();
			while let Some(first) = rest.chars().next() {
				let len = match first {
					'{' | '}' | '[' | ']' => 1,
					c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
					other => {
						return Err(TextError {
							line,
							kind: TextErrorKind::Character(other),
						})
					}
				};
				let (text, after) = rest.split_at(len);
				tokens.push(Token { text, line });
				rest = after.trim_start();
			}
		}
		Ok(Self { tokens, next: 0 })
	}

	/// Line of the token last taken; of the first before any is.
	pub(super) fn line(&self) -> usize {
		let last = self.tokens.get(self.next.saturating_sub(1));
		last.map_or(1, |token| token.line)
	}

	/// An error at [`Self::line`].
	pub(super) fn error(&self, kind: impl Into<TextErrorKind>) -> TextError {
		TextError {
			line: self.line(),
			kind: kind.into(),
		}
	}

	pub(super) fn peek(&self) -> Option<&'t str> {
		self.tokens.get(self.next).map(|token| token.text)
	}

	pub(super) fn take(&mut self, expected: &'static str) -> Result<&'t str, TextError> {
		let text = self
			.peek()
			.ok_or_else(|| self.error(TextErrorKind::End(expected)))?;
		self.next += 1;
		Ok(text)
	}

	/// Takes the next token if it is `text`.
	pub(super) fn take_if(&mut self, text: &str) -> bool {
		let is = self.peek() == Some(text);
		self.next += usize::from(is);
		is
	}

	/// Takes exactly this token.
	pub(super) fn expect(&mut self, text: &'static str) -> Result<(), TextError> {
		let found = self.take(text)?;
		if found == text {
			Ok(())
		} else {
			Err(self.unexpected(text, found))
		}
	}

	/// The error that says that the token just taken is another than expected.
	pub(super) fn unexpected(&self, expected: &'static str, found: &str) -> TextError {
		self.error(TextErrorKind::Expected {
			expected,
			found: found.to_string(),
		})
	}

	/// Takes a name.
	pub(super) fn name(&mut self, expected: &'static str) -> Result<&'t str, TextError> {
		let text = self.take(expected)?;
		let is_name = text.chars().all(|c| is_word(c) && c != '+');
		if is_name {
			Ok(text)
		} else {
			Err(self.unexpected(expected, text))
		}
	}

	/// Takes a number.
	pub(super) fn number<N: std::str::FromStr>(
		&mut self,
		expected: &'static str,
	) -> Result<N, TextError> {
		let text = self.take(expected)?;
		text.parse().map_err(|_| self.unexpected(expected, text))
	}

	/// Takes a weight.
	pub(super) fn weight(&mut self) -> Result<u32, TextError> {
		let text = self.take("a weight")?;
		super::weight(text).ok_or_else(|| self.error(TextErrorKind::Weight(text.to_string())))
	}
}
