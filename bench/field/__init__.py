"""This suite beside the other servers of the field: same lab, same run, raw figures kept (docs/peers.md)."""
