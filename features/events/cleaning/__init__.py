"""The cleaning policy, and how it is applied to parsed rows."""
