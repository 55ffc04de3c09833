"""A shop that is drawn, not observed: for load, and to see whether what was planted is found again.

Figures of quality never come from here: its users are as simple as the model that drew them.
"""
