"""The four ways a client may patch an object: JSON patch, merge, strategic merge and server-side apply."""
