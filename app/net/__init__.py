"""How do computers reach each other?"""
