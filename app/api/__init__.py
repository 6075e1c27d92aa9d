"""How do programs use it?"""
