"""How do many computers run one model?"""
