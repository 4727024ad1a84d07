"""Tokens: who may do what over HTTP. Made by a command, stored hashed, read again by the daemon when they change."""

from edge.tokens.file import Entry, TokensFile
from edge.tokens.grants import ALL_SCOPES, MASTER, SCOPES, Grant, Scope, looks_minted, mint
from edge.tokens.known import KnownTokens

__all__ = [
    "ALL_SCOPES",
    "MASTER",
    "SCOPES",
    "Entry",
    "Grant",
    "KnownTokens",
    "Scope",
    "TokensFile",
    "looks_minted",
    "mint",
]
