"""Every tool of every server, called thousands of times as its listed schema allows and as it does not."""
