"""The HTTP surface: who may call, what a call looks like, and one call into a room. No rules of its own."""
