"""The owner's own questions: opened models, conversations, and who answers them."""
