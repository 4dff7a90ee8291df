"""Results and facts of the eks server: plain, frozen, and the pure judgements about them."""
