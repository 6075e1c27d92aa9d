"""What does this computer compute?"""
