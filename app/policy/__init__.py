"""May this computer work now, and how hard? Sensors, a pure verdict, and what enforces it."""
