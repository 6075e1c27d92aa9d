"""What does this computer compute?"""

from app.engine.bare_packages import import_bare

import_bare("gguf", "llama_cpp")
