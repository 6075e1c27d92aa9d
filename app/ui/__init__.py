"""How people use Potluck: the window and the tray, a process of their own without asyncio."""
