"""The sop server's investigations: pure rules, many sources at once, the stories of the lab."""
