<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
  <context>
    <name>Potluck</name>
    <message>
      <source>0 always takes the likeliest word; 1 is livelier and errs more.</source>
      <translation>0 nimmt immer das wahrscheinlichste Wort; 1 ist lebendiger und irrt öfter.</translation>
    </message>
    <message>
      <source>1 layer</source>
      <translation>1 Schicht</translation>
    </message>
    <message>
      <source>1 thread with rests between batches</source>
      <translation>1 Thread mit Pausen zwischen den Rechenschritten</translation>
    </message>
    <message>
      <source>A helper is busy; another is asked…</source>
      <translation>Ein Helfer ist beschäftigt; ein anderer wird gefragt…</translation>
    </message>
    <message>
      <source>A helper left; another takes over…</source>
      <translation>Ein Helfer ist gegangen; ein anderer übernimmt…</translation>
    </message>
    <message>
      <source>A little</source>
      <translation>Wenig</translation>
    </message>
    <message>
      <source>A lot</source>
      <translation>Viel</translation>
    </message>
    <message>
      <source>A part of the answer could not be read.</source>
      <translation>Ein Teil der Antwort war nicht zu lesen.</translation>
    </message>
    <message>
      <source>About</source>
      <translation>Über Potluck</translation>
    </message>
    <message>
      <source>Add a model</source>
      <translation>Modell hinzufügen</translation>
    </message>
    <message>
      <source>Add a model…</source>
      <translation>Modell hinzufügen …</translation>
    </message>
    <message>
      <source>Add one from the file that its publisher gave you; the first comes with Potluck.</source>
      <translation>Fügen Sie eines aus der Datei hinzu, die Sie von seinem Herausgeber haben; das erste bringt Potluck mit.</translation>
    </message>
    <message>
      <source>Address and port</source>
      <translation>Adresse und Port</translation>
    </message>
    <message>
      <source>After three minutes without keyboard or mouse.</source>
      <translation>Nach drei Minuten ohne Tastatur oder Maus.</translation>
    </message>
    <message>
      <source>Also serves {layers} of {model} while others there are missing or crowded</source>
      <translation>Bedient auch {layers} von {model}, solange andere dort fehlen oder ausgelastet sind</translation>
    </message>
    <message>
      <source>Always</source>
      <translation>Immer</translation>
    </message>
    <message>
      <source>An answer is being written; stop it first, or wait.</source>
      <translation>Es wird gerade eine Antwort geschrieben; stoppen Sie sie zuerst, oder warten Sie.</translation>
    </message>
    <message>
      <source>Another program is using {file}, so new chats are kept in memory for now; what the file holds is safe. Close that program, and they go into the file.</source>
      <translation>Ein anderes Programm benutzt {file}, deshalb werden neue Chats vorerst im Speicher gehalten; was in der Datei steht, ist sicher. Schließen Sie jenes Programm, dann kommen sie in die Datei.</translation>
    </message>
    <message>
      <source>Answer</source>
      <translation>Antwort</translation>
    </message>
    <message>
      <source>Answered by {names}</source>
      <translation>Beantwortet von {names}</translation>
    </message>
    <message>
      <source>As JSON…</source>
      <translation>Als JSON …</translation>
    </message>
    <message>
      <source>As Markdown…</source>
      <translation>Als Markdown …</translation>
    </message>
    <message>
      <source>As the system</source>
      <translation>Wie das System</translation>
    </message>
    <message>
      <source>Ask first</source>
      <translation>Erst fragen</translation>
    </message>
    <message>
      <source>Ask something</source>
      <translation>Stellen Sie eine Frage</translation>
    </message>
    <message>
      <source>Automatic</source>
      <translation>Automatisch</translation>
    </message>
    <message>
      <source>Away after</source>
      <translation>Weg nach</translation>
    </message>
    <message>
      <source>Back</source>
      <translation>Zurück</translation>
    </message>
    <message>
      <source>Balanced</source>
      <translation>Ausgewogen</translation>
    </message>
    <message>
      <source>Busy from</source>
      <translation>Beschäftigt ab</translation>
    </message>
    <message>
      <source>Cancel</source>
      <translation>Abbrechen</translation>
    </message>
    <message>
      <source>Cannot write in {folder}: {reason}. What has arrived is kept.</source>
      <translation>In {folder} kann nicht geschrieben werden: {reason}. Was angekommen ist, bleibt erhalten.</translation>
    </message>
    <message>
      <source>Change model</source>
      <translation>Modell wechseln</translation>
    </message>
    <message>
      <source>Changing an earlier message; what came after it goes.</source>
      <translation>Eine frühere Nachricht wird geändert; was danach kam, entfällt.</translation>
    </message>
    <message>
      <source>Chat</source>
      <translation>Chat</translation>
    </message>
    <message>
      <source>Chat works without sharing. Sharing makes Potluck faster for everyone.</source>
      <translation>Chatten geht auch ohne Teilen. Teilen macht Potluck für alle schneller.</translation>
    </message>
    <message>
      <source>Chats</source>
      <translation>Chats</translation>
    </message>
    <message>
      <source>Chats can fall back on this computer: some of its layers have only one other helper.</source>
      <translation>Chats können auf diesen Computer ausweichen: Manche seiner Schichten haben nur einen anderen Helfer.</translation>
    </message>
    <message>
      <source>Chats cannot be kept in {file} now ({reason}); the file stays as it is. New chats are lost when Potluck ends, unless the file can be written again before.</source>
      <translation>Chats können gerade nicht in {file} gespeichert werden ({reason}); die Datei bleibt, wie sie ist. Neue Chats gehen verloren, wenn Potluck endet, es sei denn, die Datei kann vorher wieder geschrieben werden.</translation>
    </message>
    <message>
      <source>Chats need this computer: nobody else serves some of its layers.</source>
      <translation>Chats brauchen diesen Computer: Manche seiner Schichten hält sonst niemand bereit.</translation>
    </message>
    <message>
      <source>Choose a model to share</source>
      <translation>Wählen Sie ein Modell zum Teilen</translation>
    </message>
    <message>
      <source>Choose model</source>
      <translation>Modell wählen</translation>
    </message>
    <message>
      <source>Choose one, and Potluck fetches the layers that fit this computer.</source>
      <translation>Wählen Sie eines, und Potluck holt die Schichten, die auf diesen Computer passen.</translation>
    </message>
    <message>
      <source>Chosen</source>
      <translation>Gewählt</translation>
    </message>
    <message>
      <source>Close</source>
      <translation>Schließen</translation>
    </message>
    <message>
      <source>Comes with Potluck and explains it. It is small, and often wrong.</source>
      <translation>Gehört zu Potluck und erklärt es. Es ist klein und irrt sich oft.</translation>
    </message>
    <message>
      <source>Computers that are asked first who else takes part, each as NAME@ADDRESS:PORT. Whoever runs one finds its name under About.</source>
      <translation>Computer, die zuerst gefragt werden, wer noch mitmacht, jeder als NAME@ADRESSE:PORT. Wem einer gehört, der findet seinen Namen unter „Über“.</translation>
    </message>
    <message>
      <source>Computers to ask first</source>
      <translation>Zuerst gefragte Computer</translation>
    </message>
    <message>
      <source>Continue</source>
      <translation>Weiter</translation>
    </message>
    <message>
      <source>Conversation</source>
      <translation>Gespräch</translation>
    </message>
    <message>
      <source>Conversations at once</source>
      <translation>Gespräche zugleich</translation>
    </message>
    <message>
      <source>Copied</source>
      <translation>Kopiert</translation>
    </message>
    <message>
      <source>Copy</source>
      <translation>Kopieren</translation>
    </message>
    <message>
      <source>Copy this code</source>
      <translation>Diesen Code kopieren</translation>
    </message>
    <message>
      <source>Could not download {layers} of {model}: {reason}. What has arrived is kept; try again later.</source>
      <translation>Das Herunterladen ist gescheitert ({layers} von {model}): {reason}. Was angekommen ist, bleibt erhalten; versuchen Sie es später noch einmal.</translation>
    </message>
    <message>
      <source>Dark</source>
      <translation>Dunkel</translation>
    </message>
    <message>
      <source>Data folder</source>
      <translation>Datenordner</translation>
    </message>
    <message>
      <source>Data this month</source>
      <translation>Daten in diesem Monat</translation>
    </message>
    <message>
      <source>Delay</source>
      <translation>Verzögerung</translation>
    </message>
    <message>
      <source>Delete</source>
      <translation>Löschen</translation>
    </message>
    <message>
      <source>Delete chat</source>
      <translation>Chat löschen</translation>
    </message>
    <message>
      <source>Delete “{title}”?</source>
      <translation>„{title}“ löschen?</translation>
    </message>
    <message>
      <source>Disk and memory</source>
      <translation>Festplatte und Speicher</translation>
    </message>
    <message>
      <source>Disk for models</source>
      <translation>Platz für Modelle</translation>
    </message>
    <message>
      <source>Does not fit: not even one layer has room in memory.</source>
      <translation>Passt nicht: Nicht einmal eine Schicht hat im Speicher Platz.</translation>
    </message>
    <message>
      <source>Download</source>
      <translation>Empfangen</translation>
    </message>
    <message>
      <source>Download in slow mode</source>
      <translation>Empfangen im langsamen Modus</translation>
    </message>
    <message>
      <source>Download nothing</source>
      <translation>Nichts herunterladen</translation>
    </message>
    <message>
      <source>Download while you are away</source>
      <translation>Herunterladen, während Sie weg sind</translation>
    </message>
    <message>
      <source>Download while you use the computer</source>
      <translation>Herunterladen, während Sie den Computer benutzen</translation>
    </message>
    <message>
      <source>Downloads</source>
      <translation>Downloads</translation>
    </message>
    <message>
      <source>Each line is a computer's name, an @, its address, a colon and its port. Check every line; at most 16 are taken.</source>
      <translation>Jede Zeile ist der Name eines Computers, ein @, seine Adresse, ein Doppelpunkt und sein Port. Prüfen Sie jede Zeile; höchstens 16 werden angenommen.</translation>
    </message>
    <message>
      <source>Each of its layers has at least two other helpers.</source>
      <translation>Jede seiner Schichten hat mindestens zwei andere Helfer.</translation>
    </message>
    <message>
      <source>Edit and send again</source>
      <translation>Ändern und neu senden</translation>
    </message>
    <message>
      <source>Even when this computer is faster by itself. It still answers alone when nobody else can, and may when it shares every layer.</source>
      <translation>Auch wenn dieser Computer allein schneller ist. Er antwortet trotzdem allein, wenn es sonst niemand kann, und vielleicht auch, wenn er alle Schichten teilt.</translation>
    </message>
    <message>
      <source>Every helper is busy; the answer goes on in a moment…</source>
      <translation>Alle Helfer sind beschäftigt; die Antwort geht gleich weiter…</translation>
    </message>
    <message>
      <source>Export this chat</source>
      <translation>Diesen Chat exportieren</translation>
    </message>
    <message>
      <source>Fits whole</source>
      <translation>Passt ganz</translation>
    </message>
    <message>
      <source>Fits: {fits} of {all} layers; needed most: {layers}</source>
      <translation>Passt: {fits} von {all} Schichten; am nötigsten: {layers}</translation>
    </message>
    <message>
      <source>For 1 hour</source>
      <translation>Für 1 Stunde</translation>
    </message>
    <message>
      <source>For 15 minutes</source>
      <translation>Für 15 Minuten</translation>
    </message>
    <message>
      <source>For 4 hours</source>
      <translation>Für 4 Stunden</translation>
    </message>
    <message>
      <source>For a report: see what is in it before you save it.</source>
      <translation>Für einen Fehlerbericht: Sehen Sie vor dem Speichern, was darin steht.</translation>
    </message>
    <message>
      <source>For example: answer in short sentences.</source>
      <translation>Zum Beispiel: Antworte in kurzen Sätzen.</translation>
    </message>
    <message>
      <source>Free space</source>
      <translation>Platz schaffen</translation>
    </message>
    <message>
      <source>Free {size}</source>
      <translation>{size} freigeben</translation>
    </message>
    <message>
      <source>From 22 to 7 o'clock; a finer plan is in settings.</source>
      <translation>Von 22 bis 7 Uhr; ein genauerer Plan steht in den Einstellungen.</translation>
    </message>
    <message>
      <source>From the file that its publisher gave you, such as model.json</source>
      <translation>Aus der Datei, die Sie von seinem Herausgeber haben, etwa model.json</translation>
    </message>
    <message>
      <source>Full: two computers or more · half full: one · hatched: nobody</source>
      <translation>Voll: zwei Computer oder mehr · halb voll: einer · schraffiert: niemand</translation>
    </message>
    <message>
      <source>GB</source>
      <translation>GB</translation>
    </message>
    <message>
      <source>Gently while you work, more while you are away.</source>
      <translation>Sanft, während Sie arbeiten, mehr, während Sie weg sind.</translation>
    </message>
    <message>
      <source>Getting {layers} of {model}: {percent} %</source>
      <translation>Holt {layers} von {model}: {percent} %</translation>
    </message>
    <message>
      <source>Give up a source after</source>
      <translation>Quelle wechseln nach</translation>
    </message>
    <message>
      <source>Given {given} · Taken {taken}</source>
      <translation>Gegeben {given} · Genommen {taken}</translation>
    </message>
    <message>
      <source>Graphics card</source>
      <translation>Grafikkarte</translation>
    </message>
    <message>
      <source>Graphics card only</source>
      <translation>Nur die Grafikkarte</translation>
    </message>
    <message>
      <source>HOST:PORT</source>
      <translation>HOST:PORT</translation>
    </message>
    <message>
      <source>Help and licence</source>
      <translation>Hilfe und Lizenz</translation>
    </message>
    <message>
      <source>Help others find helpers</source>
      <translation>Anderen Helfer finden helfen</translation>
    </message>
    <message>
      <source>Helpers</source>
      <translation>Helfer</translation>
    </message>
    <message>
      <source>Helpers compute the answer together. They could read along: send no secrets.</source>
      <translation>Helfer berechnen die Antwort gemeinsam. Sie könnten mitlesen: Senden Sie keine Geheimnisse.</translation>
    </message>
    <message>
      <source>Helpers replaced in your chats: {today} today, {ever} ever</source>
      <translation>In Ihren Chats ersetzte Helfer: heute {today}, insgesamt {ever}</translation>
    </message>
    <message>
      <source>Helping with {n} conversation now</source>
      <translation>Hilft gerade bei {n} Gespräch</translation>
    </message>
    <message>
      <source>Helping with {n} conversations now</source>
      <translation>Hilft gerade bei {n} Gesprächen</translation>
    </message>
    <message>
      <source>Holds from the next start on.</source>
      <translation>Gilt ab dem nächsten Start.</translation>
    </message>
    <message>
      <source>Holds when Potluck starts the next time: {labels:own}.</source>
      <translation>Gilt ab dem nächsten Start von Potluck: {labels:own}.</translation>
    </message>
    <message>
      <source>Hours</source>
      <translation>Stunden</translation>
    </message>
    <message>
      <source>Hours of the week in which this computer may share</source>
      <translation>Stunden der Woche, in denen dieser Computer teilen darf</translation>
    </message>
    <message>
      <source>How does a chain of helpers work?</source>
      <translation>Wie arbeitet eine Kette von Helfern?</translation>
    </message>
    <message>
      <source>How fast may be received while slow mode is on.</source>
      <translation>Wie schnell im langsamen Modus empfangen werden darf.</translation>
    </message>
    <message>
      <source>How fast may be received while you are away; 0 sets no limit.</source>
      <translation>Wie schnell empfangen werden darf, während Sie weg sind; 0 setzt keine Grenze.</translation>
    </message>
    <message>
      <source>How fast may be received while you use the computer; 0 sets no limit.</source>
      <translation>Wie schnell empfangen werden darf, während Sie den Computer benutzen; 0 setzt keine Grenze.</translation>
    </message>
    <message>
      <source>How fast may be sent while slow mode is on.</source>
      <translation>Wie schnell im langsamen Modus gesendet werden darf.</translation>
    </message>
    <message>
      <source>How fast may be sent while you are away; 0 sets no limit.</source>
      <translation>Wie schnell gesendet werden darf, während Sie weg sind; 0 setzt keine Grenze.</translation>
    </message>
    <message>
      <source>How fast may be sent while you use the computer; 0 sets no limit.</source>
      <translation>Wie schnell gesendet werden darf, während Sie den Computer benutzen; 0 setzt keine Grenze.</translation>
    </message>
    <message>
      <source>How hot the processor or graphics card may be before sharing rests.</source>
      <translation>Wie heiß Prozessor oder Grafikkarte werden dürfen, bevor das Teilen ruht.</translation>
    </message>
    <message>
      <source>How long a download may stand still before it is tried from somewhere else.</source>
      <translation>Wie lange ein Download stillstehen darf, bevor er anderswo versucht wird.</translation>
    </message>
    <message>
      <source>How long without mouse or keyboard means that you are away.</source>
      <translation>Wie lange ohne Maus und Tastatur bedeutet, dass Sie weg sind.</translation>
    </message>
    <message>
      <source>How many conversations may be served at the same time.</source>
      <translation>Bei wie vielen Gesprächen zugleich geholfen werden darf.</translation>
    </message>
    <message>
      <source>How many of the likelier words may be chosen from; 1 means all of them.</source>
      <translation>Aus wie vielen der wahrscheinlicheren Wörter gewählt werden darf; 1 bedeutet: aus allen.</translation>
    </message>
    <message>
      <source>How many processor threads compute; 0 takes as many as there are cores.</source>
      <translation>Wie viele Threads rechnen; 0 nimmt so viele, wie es Kerne gibt.</translation>
    </message>
    <message>
      <source>How much may be sent and received in a month before sharing rests; 0 sets no limit.</source>
      <translation>Wie viel im Monat gesendet und empfangen werden darf, bevor das Teilen ruht; 0 setzt keine Grenze.</translation>
    </message>
    <message>
      <source>How much may it use?</source>
      <translation>Wie viel darf es nutzen?</translation>
    </message>
    <message>
      <source>How much of the disk models may take.</source>
      <translation>Wie viel der Festplatte Modelle belegen dürfen.</translation>
    </message>
    <message>
      <source>How much of the processor may work for others while you are away.</source>
      <translation>Wie viel des Prozessors für andere arbeiten darf, während Sie weg sind.</translation>
    </message>
    <message>
      <source>How much of the processor may work for others while you use the computer.</source>
      <translation>Wie viel des Prozessors für andere arbeiten darf, während Sie den Computer benutzen.</translation>
    </message>
    <message>
      <source>How much of the processor other programs use before sharing rests; it goes on when they use three fifths of that, so that it does not start and stop all the time.</source>
      <translation>Wie viel des Prozessors andere Programme nutzen, bevor das Teilen ruht; es geht weiter, wenn sie drei Fünftel davon nutzen, damit es nicht ständig anfängt und aufhört.</translation>
    </message>
    <message>
      <source>How much power the graphics card may draw; 0 sets no limit.</source>
      <translation>Wie viel Strom die Grafikkarte ziehen darf; 0 setzt keine Grenze.</translation>
    </message>
    <message>
      <source>How this chat is answered</source>
      <translation>Wie dieser Chat beantwortet wird</translation>
    </message>
    <message>
      <source>Input</source>
      <translation>Eingang</translation>
    </message>
    <message>
      <source>Instructions</source>
      <translation>Anweisungen</translation>
    </message>
    <message>
      <source>It goes on by itself when the reason is gone.</source>
      <translation>Es geht von selbst weiter, wenn der Grund entfällt.</translation>
    </message>
    <message>
      <source>It is removed from this computer and cannot be brought back.</source>
      <translation>Er wird von diesem Computer entfernt und lässt sich nicht wiederherstellen.</translation>
    </message>
    <message>
      <source>It never exceeds a limit you set, and says what it is doing.</source>
      <translation>Es überschreitet keine Grenze, die Sie setzen, und sagt, was es tut.</translation>
    </message>
    <message>
      <source>It pauses by itself on battery, when the computer is busy, and when it gets warm.</source>
      <translation>Im Akkubetrieb, bei viel Arbeit und bei Hitze pausiert es von selbst.</translation>
    </message>
    <message>
      <source>It reads no files but its own.</source>
      <translation>Es liest keine Dateien außer seinen eigenen.</translation>
    </message>
    <message>
      <source>It sends no statistics and has no account.</source>
      <translation>Es sendet keine Statistik und kennt kein Konto.</translation>
    </message>
    <message>
      <source>Its key is kept in</source>
      <translation>Sein Schlüssel liegt in</translation>
    </message>
    <message>
      <source>Its name for helpers</source>
      <translation>Sein Name für Helfer</translation>
    </message>
    <message>
      <source>Keep</source>
      <translation>Behalten</translation>
    </message>
    <message>
      <source>Keep in mind</source>
      <translation>Bedenken Sie</translation>
    </message>
    <message>
      <source>Keep running</source>
      <translation>Weiterlaufen lassen</translation>
    </message>
    <message>
      <source>Keep the identity in the keyring</source>
      <translation>Identität im Schlüsselbund</translation>
    </message>
    <message>
      <source>Key for other computers</source>
      <translation>Schlüssel für andere Computer</translation>
    </message>
    <message>
      <source>Language</source>
      <translation>Sprache</translation>
    </message>
    <message>
      <source>Last answer</source>
      <translation>Letzte Antwort</translation>
    </message>
    <message>
      <source>Layers</source>
      <translation>Schichten</translation>
    </message>
    <message>
      <source>Layers and who serves them</source>
      <translation>Schichten, und wer sie bereithält</translation>
    </message>
    <message>
      <source>Layers of {model}</source>
      <translation>Schichten von {model}</translation>
    </message>
    <message>
      <source>Licence</source>
      <translation>Lizenz</translation>
    </message>
    <message>
      <source>Light</source>
      <translation>Hell</translation>
    </message>
    <message>
      <source>Limits in force</source>
      <translation>Geltende Grenzen</translation>
    </message>
    <message>
      <source>Listens on</source>
      <translation>Horcht auf</translation>
    </message>
    <message>
      <source>Lists of a model's layers (*.json)</source>
      <translation>Listen der Schichten eines Modells (*.json)</translation>
    </message>
    <message>
      <source>Logs</source>
      <translation>Protokolle</translation>
    </message>
    <message>
      <source>Longest answer</source>
      <translation>Längste Antwort</translation>
    </message>
    <message>
      <source>Look again</source>
      <translation>Neu nachsehen</translation>
    </message>
    <message>
      <source>Looks</source>
      <translation>Aussehen</translation>
    </message>
    <message>
      <source>Model</source>
      <translation>Modell</translation>
    </message>
    <message>
      <source>Models</source>
      <translation>Modelle</translation>
    </message>
    <message>
      <source>Models take {used}; all of it is in use.</source>
      <translation>Modelle belegen {used}; alles davon wird benutzt.</translation>
    </message>
    <message>
      <source>Models take {used}; {unused} of it is not in use.</source>
      <translation>Modelle belegen {used}; {unused} davon sind nicht in Gebrauch.</translation>
    </message>
    <message>
      <source>Monthly budget</source>
      <translation>Monatsbudget</translation>
    </message>
    <message>
      <source>Moved to {layers} of {model}: answers pass through fewer computers now.</source>
      <translation>Teilt jetzt {layers} von {model}: Antworten laufen nun über weniger Computer.</translation>
    </message>
    <message>
      <source>Moved to {layers} of {model}: nobody else served them.</source>
      <translation>Teilt jetzt {layers} von {model}: Niemand sonst hielt das bereit.</translation>
    </message>
    <message>
      <source>Moved to {layers} of {model}: only one other computer served them.</source>
      <translation>Teilt jetzt {layers} von {model}: Nur ein anderer Computer hielt das bereit.</translation>
    </message>
    <message>
      <source>Moved to {layers} of {model}: they held up everybody's answers most.</source>
      <translation>Teilt jetzt {layers} von {model}: Das hielt die Antworten aller am meisten auf.</translation>
    </message>
    <message>
      <source>NVML power limit</source>
      <translation>NVML-Leistungsgrenze</translation>
    </message>
    <message>
      <source>Name</source>
      <translation>Name</translation>
    </message>
    <message>
      <source>Name both ends of the layers, or neither.</source>
      <translation>Nennen Sie beide Enden der Schichten oder keines.</translation>
    </message>
    <message>
      <source>Network</source>
      <translation>Netzwerk</translation>
    </message>
    <message>
      <source>Network, last two minutes</source>
      <translation>Netzwerk, letzte zwei Minuten</translation>
    </message>
    <message>
      <source>Never</source>
      <translation>Nie</translation>
    </message>
    <message>
      <source>New chat</source>
      <translation>Neuer Chat</translation>
    </message>
    <message>
      <source>Nights</source>
      <translation>Nachts</translation>
    </message>
    <message>
      <source>Nights and weekends</source>
      <translation>Nachts und an Wochenenden</translation>
    </message>
    <message>
      <source>No chat has this in its name.</source>
      <translation>Kein Chat hat das im Namen.</translation>
    </message>
    <message>
      <source>No chats yet.</source>
      <translation>Noch keine Chats.</translation>
    </message>
    <message>
      <source>No connection to Potluck's node; trying again.</source>
      <translation>Keine Verbindung zum Potluck-Knoten; neuer Versuch läuft.</translation>
    </message>
    <message>
      <source>No limit</source>
      <translation>Keine Grenze</translation>
    </message>
    <message>
      <source>No limit holds at the moment.</source>
      <translation>Im Moment gilt keine Grenze.</translation>
    </message>
    <message>
      <source>No model chosen yet.</source>
      <translation>Noch kein Modell gewählt.</translation>
    </message>
    <message>
      <source>No model is called {name}; known here: {models}.</source>
      <translation>Kein Modell heißt {name}; bekannt sind hier: {models}.</translation>
    </message>
    <message>
      <source>No model is called {name}; none is known here.</source>
      <translation>Kein Modell heißt {name}; hier ist keines bekannt.</translation>
    </message>
    <message>
      <source>No models yet</source>
      <translation>Noch keine Modelle</translation>
    </message>
    <message>
      <source>No other computer serves this model at the moment.</source>
      <translation>Im Moment hält kein anderer Computer dieses Modell bereit.</translation>
    </message>
    <message>
      <source>Nobody else can read along. Only models that fit here whole can answer so, at the speed of this computer.</source>
      <translation>Niemand sonst kann mitlesen. So können nur Modelle antworten, die ganz hierher passen, so schnell, wie dieser Computer ist.</translation>
    </message>
    <message>
      <source>Nobody sees</source>
      <translation>Niemand sieht</translation>
    </message>
    <message>
      <source>Nobody serves at the moment: {names}</source>
      <translation>Zurzeit hält niemand bereit: {names}</translation>
    </message>
    <message>
      <source>None</source>
      <translation>Keiner</translation>
    </message>
    <message>
      <source>Not connected to Potluck's node</source>
      <translation>Keine Verbindung zum Potluck-Knoten</translation>
    </message>
    <message>
      <source>Not connected to other computers yet: none has come here so far. Others come when they name this one in their Settings, under Computers to ask first.</source>
      <translation>Noch nicht mit anderen Computern verbunden: Bisher ist keiner hierher gekommen. Andere kommen, wenn sie diesen in ihren Einstellungen nennen, unter „Zuerst gefragte Computer“.</translation>
    </message>
    <message>
      <source>Not connected to other computers yet: this one knows none. Name one in Settings, under Computers to ask first; whoever runs it finds its name and port under About.</source>
      <translation>Noch nicht mit anderen Computern verbunden: Dieser kennt keinen. Nennen Sie einen in den Einstellungen, unter „Zuerst gefragte Computer“; wer ihn betreibt, findet seinen Namen und Port unter „Über Potluck“.</translation>
    </message>
    <message>
      <source>Not connected to other computers: none of those named in Settings, under Computers to ask first, answers. Look whether this computer is online and they are named rightly; Potluck goes on asking.</source>
      <translation>Nicht mit anderen Computern verbunden: Keiner von denen antwortet, die in den Einstellungen unter „Zuerst gefragte Computer“ stehen. Sehen Sie nach, ob dieser Computer online ist und sie richtig genannt sind; Potluck fragt weiter.</translation>
    </message>
    <message>
      <source>Not enough room: {needed:size} more are needed, and {used:size} of the {quota:size} that Potluck may use are taken. Nothing was changed; allow more disk space or remove a model.</source>
      <translation>Nicht genug Platz: {needed:size} werden noch gebraucht, und {used:size} der {quota:size}, die Potluck nutzen darf, sind belegt. Nichts wurde geändert; erlauben Sie mehr Platz auf der Festplatte, oder entfernen Sie ein Modell.</translation>
    </message>
    <message>
      <source>Not even one layer of {model}, with the room for conversations on it, fits into the memory that is free; close other programs, set less room for conversations, or choose a smaller model.</source>
      <translation>Nicht einmal eine Schicht von {model} passt mit dem Platz für Gespräche in den freien Speicher; schließen Sie andere Programme, stellen Sie weniger Platz für Gespräche ein, oder wählen Sie ein kleineres Modell.</translation>
    </message>
    <message>
      <source>Not sharing: what you had decided about sharing could not be read, so sharing rests; say once more whether to share.</source>
      <translation>Teilt nicht: Ihre Entscheidung über das Teilen konnte nicht gelesen werden, deshalb ruht das Teilen; sagen Sie noch einmal, ob geteilt werden soll.</translation>
    </message>
    <message>
      <source>Not sharing: you chose only to chat</source>
      <translation>Teilt nicht: Sie wollten nur chatten</translation>
    </message>
    <message>
      <source>Not sharing: you have not been asked yet</source>
      <translation>Teilt nicht: Sie wurden noch nicht gefragt</translation>
    </message>
    <message>
      <source>Not sharing: your rules could not be judged; Potluck tries again every few seconds</source>
      <translation>Teilt nicht: Ihre Regeln konnten nicht angewendet werden; Potluck versucht es alle paar Sekunden noch einmal</translation>
    </message>
    <message>
      <source>Not sharing: your settings file cannot be read, and your limits stand in it</source>
      <translation>Teilt nicht: Ihre Einstellungsdatei kann nicht gelesen werden, und darin stehen Ihre Grenzen</translation>
    </message>
    <message>
      <source>Not sharing: {problem}</source>
      <translation>Teilt nicht: {problem}</translation>
    </message>
    <message>
      <source>Not taken.</source>
      <translation>Nicht übernommen.</translation>
    </message>
    <message>
      <source>Nothing was computed for others in the last two minutes.</source>
      <translation>In den letzten zwei Minuten wurde nichts für andere berechnet.</translation>
    </message>
    <message>
      <source>Nothing was said yet that could be answered.</source>
      <translation>Es wurde noch nichts gesagt, worauf geantwortet werden könnte.</translation>
    </message>
    <message>
      <source>Nothing was sent in the last two minutes.</source>
      <translation>In den letzten zwei Minuten wurde nichts gesendet.</translation>
    </message>
    <message>
      <source>Notifications</source>
      <translation>Benachrichtigungen</translation>
    </message>
    <message>
      <source>Off</source>
      <translation>Aus</translation>
    </message>
    <message>
      <source>On</source>
      <translation>An</translation>
    </message>
    <message>
      <source>On a metered network</source>
      <translation>Im bezahlten Netz</translation>
    </message>
    <message>
      <source>On the disk, parts of {model} had been damaged ({layers}). They were removed and are fetched again; nothing has to be done.</source>
      <translation>Auf der Festplatte waren Teile von {model} beschädigt ({layers}). Sie wurden entfernt und werden neu geholt; es ist nichts zu tun.</translation>
    </message>
    <message>
      <source>One per line</source>
      <translation>Eines je Zeile</translation>
    </message>
    <message>
      <source>One token through one layer counts one: given is what this computer computed for others, taken what others computed for your chats. Only this computer counts it, and it buys nothing.</source>
      <translation>Ein Token durch eine Schicht zählt eins: gegeben ist, was dieser Computer für andere gerechnet hat, genommen, was andere für Ihre Chats gerechnet haben. Nur dieser Computer zählt es, und es kauft nichts.</translation>
    </message>
    <message>
      <source>Only at night</source>
      <translation>Nur nachts</translation>
    </message>
    <message>
      <source>Only chat, share nothing</source>
      <translation>Nur chatten, nichts teilen</translation>
    </message>
    <message>
      <source>Only this computer</source>
      <translation>Nur dieser Computer</translation>
    </message>
    <message>
      <source>Only while I am away</source>
      <translation>Nur während ich weg bin</translation>
    </message>
    <message>
      <source>Open Potluck</source>
      <translation>Potluck öffnen</translation>
    </message>
    <message>
      <source>Ordinary computers run large open language models together. Everyone gives some spare time, and everyone chats for free.</source>
      <translation>Gewöhnliche Computer betreiben gemeinsam große offene Sprachmodelle. Alle geben etwas freie Zeit, und alle chatten kostenlos.</translation>
    </message>
    <message>
      <source>Others can ask this computer as soon as one of them is connected.</source>
      <translation>Andere können diesen Computer fragen, sobald einer von ihnen verbunden ist.</translation>
    </message>
    <message>
      <source>Others then lack your layers of {other}. You can change back at any time.</source>
      <translation>Anderen fehlen dann Ihre Schichten von {other}. Sie können jederzeit zurückwechseln.</translation>
    </message>
    <message>
      <source>Output</source>
      <translation>Ausgang</translation>
    </message>
    <message>
      <source>Overview</source>
      <translation>Übersicht</translation>
    </message>
    <message>
      <source>Paint the hours in which this computer may share; arrows and Space do it too.</source>
      <translation>Malen Sie die Stunden an, in denen dieser Computer teilen darf; Pfeiltasten und Leertaste gehen auch.</translation>
    </message>
    <message>
      <source>Pause</source>
      <translation>Pausieren</translation>
    </message>
    <message>
      <source>Pause for full screen</source>
      <translation>Bei Vollbild pausieren</translation>
    </message>
    <message>
      <source>Pause for programs</source>
      <translation>Bei Programmen pausieren</translation>
    </message>
    <message>
      <source>Pause on battery</source>
      <translation>Im Akkubetrieb pausieren</translation>
    </message>
    <message>
      <source>Pause sharing</source>
      <translation>Teilen pausieren</translation>
    </message>
    <message>
      <source>Pause when busy</source>
      <translation>Bei viel Arbeit pausieren</translation>
    </message>
    <message>
      <source>Pause when hotter than</source>
      <translation>Pause, wenn wärmer als</translation>
    </message>
    <message>
      <source>Paused by you ({when})</source>
      <translation>Von Ihnen pausiert ({when})</translation>
    </message>
    <message>
      <source>Paused by you: the graphics card ({when})</source>
      <translation>Von Ihnen pausiert: die Grafikkarte ({when})</translation>
    </message>
    <message>
      <source>Paused by you: the processor ({when})</source>
      <translation>Von Ihnen pausiert: der Prozessor ({when})</translation>
    </message>
    <message>
      <source>Paused: a program fills the screen (until it is closed)</source>
      <translation>Pausiert: ein Programm füllt den Bildschirm (bis es geschlossen wird)</translation>
    </message>
    <message>
      <source>Paused: on a metered network (until on another one)</source>
      <translation>Pausiert: das Netzwerk wird nach Verbrauch abgerechnet (bis zu einem anderen)</translation>
    </message>
    <message>
      <source>Paused: on battery (until plugged in)</source>
      <translation>Pausiert: im Akkubetrieb (bis zum Anschließen)</translation>
    </message>
    <message>
      <source>Paused: other programs needed more than {limit:number} % of the processor (until they need less than {percent:number} %)</source>
      <translation>Pausiert: andere Programme brauchten mehr als {limit:number} % des Prozessors (bis sie weniger als {percent:number} % brauchen)</translation>
    </message>
    <message>
      <source>Paused: outside your hours (your schedule has none)</source>
      <translation>Pausiert: außerhalb Ihrer Stunden (Ihr Zeitplan hat keine)</translation>
    </message>
    <message>
      <source>Paused: outside your hours ({when})</source>
      <translation>Pausiert: außerhalb Ihrer Stunden ({when})</translation>
    </message>
    <message>
      <source>Paused: the disk is full (until 1 GB is free)</source>
      <translation>Pausiert: die Festplatte ist voll (bis 1 GB frei ist)</translation>
    </message>
    <message>
      <source>Paused: this month's data is used up (until next month)</source>
      <translation>Pausiert: das Datenvolumen dieses Monats ist verbraucht (bis zum nächsten Monat)</translation>
    </message>
    <message>
      <source>Paused: too hot (until below {celsius:number} °C)</source>
      <translation>Pausiert: zu heiß (bis unter {celsius:number} °C)</translation>
    </message>
    <message>
      <source>Paused: you are using the computer (until it is left alone for {minutes:number} minutes)</source>
      <translation>Pausiert: Sie benutzen den Computer (bis er {minutes:number} Minuten lang in Ruhe gelassen wird)</translation>
    </message>
    <message>
      <source>Paused: your limits allow no work (change them in Settings)</source>
      <translation>Pausiert: Ihre Grenzen erlauben keine Arbeit (in den Einstellungen zu ändern)</translation>
    </message>
    <message>
      <source>Paused: {program} is running (until it is closed)</source>
      <translation>Pausiert: {program} läuft (bis es geschlossen wird)</translation>
    </message>
    <message>
      <source>Pauses</source>
      <translation>Pausen</translation>
    </message>
    <message>
      <source>Potluck cuts a language model into layers. Every computer that takes part keeps some of them and computes for others when its owner does not need it.</source>
      <translation>Potluck zerlegt ein Sprachmodell in Schichten. Jeder Computer, der mitmacht, behält einige davon und rechnet für andere, wenn sein Besitzer ihn nicht braucht.</translation>
    </message>
    <message>
      <source>Potluck ended while this was being written; what there was is kept.</source>
      <translation>Potluck wurde beendet, während dies geschrieben wurde; was da war, bleibt erhalten.</translation>
    </message>
    <message>
      <source>Potluck has a problem</source>
      <translation>Potluck hat ein Problem</translation>
    </message>
    <message>
      <source>Potluck is free software under the Apache License 2.0: use it, read it, change it and pass it on. It comes without any warranty.</source>
      <translation>Potluck ist freie Software unter der Apache-Lizenz 2.0: Sie dürfen es benutzen, lesen, ändern und weitergeben. Eine Gewähr gibt es nicht.</translation>
    </message>
    <message>
      <source>Potluck keeps running</source>
      <translation>Potluck läuft weiter</translation>
    </message>
    <message>
      <source>Potluck's node does not answer; nothing was changed. It is started again.</source>
      <translation>Der Potluck-Knoten antwortet nicht; nichts wurde geändert. Er wird neu gestartet.</translation>
    </message>
    <message>
      <source>Potluck's node ended unexpectedly. Your conversations are kept; it starts again.</source>
      <translation>Der Potluck-Knoten ist unerwartet beendet worden. Ihre Gespräche sind erhalten; er startet neu.</translation>
    </message>
    <message>
      <source>Potluck's node is being started.</source>
      <translation>Potlucks Knoten wird gestartet.</translation>
    </message>
    <message>
      <source>Potluck's own guide</source>
      <translation>Potlucks eigener Guide</translation>
    </message>
    <message>
      <source>Power</source>
      <translation>Leistung</translation>
    </message>
    <message>
      <source>Power of the graphics card</source>
      <translation>Leistung der Grafikkarte</translation>
    </message>
    <message>
      <source>Prefer other computers</source>
      <translation>Andere Computer bevorzugen</translation>
    </message>
    <message>
      <source>Preparing the answer</source>
      <translation>Bereitet die Antwort vor</translation>
    </message>
    <message>
      <source>Preparing {layers} of {model}</source>
      <translation>Bereitet {layers} von {model} vor</translation>
    </message>
    <message>
      <source>Privacy</source>
      <translation>Privatsphäre</translation>
    </message>
    <message>
      <source>Problems</source>
      <translation>Probleme</translation>
    </message>
    <message>
      <source>Processor</source>
      <translation>Prozessor</translation>
    </message>
    <message>
      <source>Processor only</source>
      <translation>Nur der Prozessor</translation>
    </message>
    <message>
      <source>Processor while you are away</source>
      <translation>Prozessor, während Sie weg sind</translation>
    </message>
    <message>
      <source>Processor while you use the computer</source>
      <translation>Prozessor, während Sie den Computer benutzen</translation>
    </message>
    <message>
      <source>Programs on this computer</source>
      <translation>Programme auf diesem Computer</translation>
    </message>
    <message>
      <source>Programs reach it now at {url}.</source>
      <translation>Programme erreichen es jetzt unter {url}.</translation>
    </message>
    <message>
      <source>Programs that make sharing rest while they run, by the name of their file.</source>
      <translation>Programme, bei denen das Teilen ruht, solange sie laufen, nach dem Namen ihrer Datei.</translation>
    </message>
    <message>
      <source>Quit</source>
      <translation>Beenden</translation>
    </message>
    <message>
      <source>Quit Potluck</source>
      <translation>Potluck beenden</translation>
    </message>
    <message>
      <source>Quit Potluck, or keep it running?</source>
      <translation>Potluck beenden oder weiterlaufen lassen?</translation>
    </message>
    <message>
      <source>Quitting</source>
      <translation>Wird beendet</translation>
    </message>
    <message>
      <source>Read about Potluck</source>
      <translation>Über Potluck lesen</translation>
    </message>
    <message>
      <source>Read the licence</source>
      <translation>Lizenz lesen</translation>
    </message>
    <message>
      <source>Ready to help; nobody is asking at the moment.</source>
      <translation>Bereit zu helfen; im Moment fragt niemand.</translation>
    </message>
    <message>
      <source>Ready to share {layers} of {model}; not connected to other computers yet</source>
      <translation>Bereit, {layers} von {model} zu teilen; noch nicht mit anderen Computern verbunden</translation>
    </message>
    <message>
      <source>Rename</source>
      <translation>Umbenennen</translation>
    </message>
    <message>
      <source>Rename chat</source>
      <translation>Chat umbenennen</translation>
    </message>
    <message>
      <source>Report a problem</source>
      <translation>Ein Problem melden</translation>
    </message>
    <message>
      <source>Resume</source>
      <translation>Fortsetzen</translation>
    </message>
    <message>
      <source>Resume sharing</source>
      <translation>Teilen fortsetzen</translation>
    </message>
    <message>
      <source>Room for conversations</source>
      <translation>Platz für Gespräche</translation>
    </message>
    <message>
      <source>Room for conversations, in tokens over all of them together; more room takes more memory.</source>
      <translation>Platz für Gespräche, in Tokens über alle zusammen; mehr Platz braucht mehr Speicher.</translation>
    </message>
    <message>
      <source>Rules</source>
      <translation>Regeln</translation>
    </message>
    <message>
      <source>Run large models together</source>
      <translation>Große Modelle gemeinsam betreiben</translation>
    </message>
    <message>
      <source>Running for</source>
      <translation>Läuft seit</translation>
    </message>
    <message>
      <source>Save</source>
      <translation>Speichern</translation>
    </message>
    <message>
      <source>Save logs</source>
      <translation>Protokolle speichern</translation>
    </message>
    <message>
      <source>Save…</source>
      <translation>Speichern …</translation>
    </message>
    <message>
      <source>Scroll this code</source>
      <translation>Diesen Code verschieben</translation>
    </message>
    <message>
      <source>Search chats</source>
      <translation>Chats durchsuchen</translation>
    </message>
    <message>
      <source>Seed</source>
      <translation>Startzahl</translation>
    </message>
    <message>
      <source>Send</source>
      <translation>Senden</translation>
    </message>
    <message>
      <source>Served</source>
      <translation>Geholfen</translation>
    </message>
    <message>
      <source>Settings</source>
      <translation>Einstellungen</translation>
    </message>
    <message>
      <source>Several models are called {name}; say which by its id: {ids}.</source>
      <translation>Mehrere Modelle heißen {name}; nennen Sie eines mit seiner Kennung: {ids}.</translation>
    </message>
    <message>
      <source>Share anyway for 1 hour</source>
      <translation>Trotzdem 1 Stunde teilen</translation>
    </message>
    <message>
      <source>Share as always</source>
      <translation>Teilen wie immer</translation>
    </message>
    <message>
      <source>Share this</source>
      <translation>Dieses teilen</translation>
    </message>
    <message>
      <source>Share {model}</source>
      <translation>{model} teilen</translation>
    </message>
    <message>
      <source>Share {model} instead of {other}?</source>
      <translation>{model} statt {other} teilen?</translation>
    </message>
    <message>
      <source>Sharing anyway ({when})</source>
      <translation>Teilt trotzdem ({when})</translation>
    </message>
    <message>
      <source>Sharing is paused</source>
      <translation>Das Teilen pausiert</translation>
    </message>
    <message>
      <source>Sharing {layers} of {model}</source>
      <translation>Teilt {layers} von {model}</translation>
    </message>
    <message>
      <source>Sharing {layers} of {model} (sharing anyway {when})</source>
      <translation>Teilt {layers} von {model} (trotzdem, {when})</translation>
    </message>
    <message>
      <source>Show logs</source>
      <translation>Protokolle zeigen</translation>
    </message>
    <message>
      <source>Slow network mode</source>
      <translation>Langsamer Netzmodus</translation>
    </message>
    <message>
      <source>Something does not work? Show the log, look through it, save it, and send it with a few words on what you did to whoever gave you Potluck.</source>
      <translation>Etwas geht nicht? Zeigen Sie das Protokoll an, sehen Sie es durch, speichern Sie es und schicken Sie es mit ein paar Worten dazu, was Sie getan haben, an die, von denen Sie Potluck haben.</translation>
    </message>
    <message>
      <source>Space</source>
      <translation>Speicherplatz</translation>
    </message>
    <message>
      <source>Speed</source>
      <translation>Geschwindigkeit</translation>
    </message>
    <message>
      <source>Speed for others</source>
      <translation>Tempo für andere</translation>
    </message>
    <message>
      <source>Stand by for others</source>
      <translation>Für andere bereitstehen</translation>
    </message>
    <message>
      <source>Standing by for {layers} of {model}</source>
      <translation>Steht bereit für {layers} von {model}</translation>
    </message>
    <message>
      <source>Start</source>
      <translation>Start</translation>
    </message>
    <message>
      <source>Start Potluck when I log in</source>
      <translation>Potluck starten, wenn ich mich anmelde</translation>
    </message>
    <message>
      <source>Start at login</source>
      <translation>Bei Anmeldung starten</translation>
    </message>
    <message>
      <source>Start at login could not be changed: {reason}.</source>
      <translation>Der Start bei der Anmeldung ließ sich nicht ändern: {reason}.</translation>
    </message>
    <message>
      <source>Start sharing</source>
      <translation>Teilen beginnen</translation>
    </message>
    <message>
      <source>Starting</source>
      <translation>Startet</translation>
    </message>
    <message>
      <source>Stop</source>
      <translation>Anhalten</translation>
    </message>
    <message>
      <source>Stopped before the end.</source>
      <translation>Vor dem Ende angehalten.</translation>
    </message>
    <message>
      <source>Temperature</source>
      <translation>Temperatur</translation>
    </message>
    <message>
      <source>The answer of Potluck's node could not be read; nothing was changed. If this stays, quit Potluck and start it again.</source>
      <translation>Die Antwort des Potluck-Knotens war nicht zu lesen; nichts wurde geändert. Bleibt das so, beenden Sie Potluck und starten Sie es neu.</translation>
    </message>
    <message>
      <source>The beginning of this conversation is too long for the model and was left out.</source>
      <translation>Der Anfang dieses Gesprächs ist zu lang für das Modell und wurde weggelassen.</translation>
    </message>
    <message>
      <source>The chain broke and is mended…</source>
      <translation>Die Kette ist gerissen und wird geflickt…</translation>
    </message>
    <message>
      <source>The damaged {file} was kept as {aside}, and a new one begun with what could be read in it: look whether your limits are as you want them.</source>
      <translation>Die beschädigte Datei {file} wurde als {aside} aufgehoben und eine neue mit dem begonnen, was darin zu lesen war: Sehen Sie nach, ob Ihre Grenzen so sind, wie Sie sie wollen.</translation>
    </message>
    <message>
      <source>The disk is full: {free:size} are free. What has arrived is kept; make room on the disk of {folder} and try again.</source>
      <translation>Die Festplatte ist voll: {free:size} sind frei. Was angekommen ist, bleibt erhalten; schaffen Sie Platz auf der Festplatte von {folder}, und versuchen Sie es noch einmal.</translation>
    </message>
    <message>
      <source>The disk is too full: {needed:size} more are needed, {free:size} are free, and {margin:size} always stay free for you. What has arrived is kept; make room on the disk of {folder}.</source>
      <translation>Die Festplatte ist zu voll: {needed:size} werden noch gebraucht, {free:size} sind frei, und {margin:size} bleiben immer für Sie frei. Was angekommen ist, bleibt erhalten; schaffen Sie Platz auf der Festplatte von {folder}.</translation>
    </message>
    <message>
      <source>The disk of {folder} is full, and nothing was changed; layers are shared when 1 GB is free.</source>
      <translation>Die Festplatte von {folder} ist voll, und nichts wurde geändert; Schichten werden geteilt, sobald 1 GB frei ist.</translation>
    </message>
    <message>
      <source>The download is over</source>
      <translation>Der Download ist fertig</translation>
    </message>
    <message>
      <source>The file of what was served and given is damaged ({reason}). It was kept as {aside}, and counting begins again in a new file.</source>
      <translation>Die Datei darüber, was bedient und gegeben wurde, ist beschädigt ({reason}). Sie wurde als {aside} aufgehoben, und das Zählen beginnt in einer neuen Datei von vorn.</translation>
    </message>
    <message>
      <source>The file of your conversations was damaged ({reason}). It was kept as {file}, and new conversations begin in a new file.</source>
      <translation>Die Datei Ihrer Gespräche war beschädigt ({reason}). Sie wurde als {file} aufgehoben, und neue Gespräche beginnen in einer neuen Datei.</translation>
    </message>
    <message>
      <source>The graphics card may compute while you are away</source>
      <translation>Die Grafikkarte darf rechnen, während Sie weg sind</translation>
    </message>
    <message>
      <source>The graphics card may compute while you use the computer</source>
      <translation>Die Grafikkarte darf rechnen, während Sie den Computer benutzen</translation>
    </message>
    <message>
      <source>The graphics card rests while you are away</source>
      <translation>Die Grafikkarte ruht, während Sie weg sind</translation>
    </message>
    <message>
      <source>The graphics card rests while you use the computer</source>
      <translation>Die Grafikkarte ruht, während Sie den Computer benutzen</translation>
    </message>
    <message>
      <source>The helpers do not answer; they are asked again…</source>
      <translation>Die Helfer antworten nicht; sie werden noch einmal gefragt…</translation>
    </message>
    <message>
      <source>The language of the window.</source>
      <translation>Die Sprache des Fensters.</translation>
    </message>
    <message>
      <source>The log is empty.</source>
      <translation>Das Protokoll ist leer.</translation>
    </message>
    <message>
      <source>The manifest cannot be kept in {folder}: {reason}.</source>
      <translation>Das Manifest kann nicht in {folder} aufgehoben werden: {reason}.</translation>
    </message>
    <message>
      <source>The manifest of {model} is damaged: {reason}.</source>
      <translation>Das Manifest von {model} ist beschädigt: {reason}.</translation>
    </message>
    <message>
      <source>The model {model} is not in Potluck's catalogue. To use it all the same, get its manifest from somebody you trust and hand it over as a file.</source>
      <translation>Das Modell {model} steht nicht in Potlucks Katalog. Um es trotzdem zu nutzen, holen Sie sein Manifest von jemandem, dem Sie vertrauen, und übergeben Sie es als Datei.</translation>
    </message>
    <message>
      <source>The node did not start.</source>
      <translation>Der Knoten ist nicht gestartet.</translation>
    </message>
    <message>
      <source>The node ended several times in a row.</source>
      <translation>Der Knoten ist mehrmals hintereinander beendet worden.</translation>
    </message>
    <message>
      <source>The node takes too long.</source>
      <translation>Der Knoten braucht zu lange.</translation>
    </message>
    <message>
      <source>The one chosen here</source>
      <translation>Das hier gewählte</translation>
    </message>
    <message>
      <source>The prompt has {tokens:count} tokens and {model} reads at most {most:count}; nothing was sent. Shorten it.</source>
      <translation>Die Eingabe hat {tokens:count} Tokens, und {model} liest höchstens {most:count}; nichts wurde gesendet. Kürzen Sie sie.</translation>
    </message>
    <message>
      <source>The prompt is empty; nothing was sent.</source>
      <translation>Die Eingabe ist leer; nichts wurde gesendet.</translation>
    </message>
    <message>
      <source>Theme</source>
      <translation>Farben</translation>
    </message>
    <message>
      <source>There is no such conversation any more.</source>
      <translation>Dieses Gespräch gibt es nicht mehr.</translation>
    </message>
    <message>
      <source>There is no such message any more.</source>
      <translation>Diese Nachricht gibt es nicht mehr.</translation>
    </message>
    <message>
      <source>This Potluck carries no model of its own; name one with --model.</source>
      <translation>Dieses Potluck bringt kein eigenes Modell mit; nennen Sie eines mit --model.</translation>
    </message>
    <message>
      <source>This computer</source>
      <translation>Dieser Computer</translation>
    </message>
    <message>
      <source>This computer answered by itself: it is expected to write {alone:number} tokens a second, and a chain over other computers {chain:number}.</source>
      <translation>Dieser Computer hat allein geantwortet: Von ihm sind {alone:number} Tokens in der Sekunde zu erwarten, von einer Kette über andere Computer {chain:number}.</translation>
    </message>
    <message>
      <source>This desktop has no tray. Kept running, the window stays as a small one.</source>
      <translation>Dieser Desktop hat keine Leiste für Symbole. Läuft Potluck weiter, bleibt das Fenster verkleinert.</translation>
    </message>
    <message>
      <source>This is a mistake in Potluck itself ({kind}).</source>
      <translation>Das ist ein Fehler in Potluck selbst ({kind}).</translation>
    </message>
    <message>
      <source>This system does not tell about battery, so the limits for while you use the computer hold all the time; without that rule the others hold while you are away.</source>
      <translation>Dieses System sagt nichts über den Akku, deshalb gelten die Grenzen für die Zeit, in der Sie den Computer benutzen, immer; ohne diese Regel gelten die anderen, während Sie weg sind.</translation>
    </message>
    <message>
      <source>This system does not tell about full screen, so the limits for while you use the computer hold all the time; without that rule the others hold while you are away.</source>
      <translation>Dieses System sagt nichts über den Vollbildmodus, deshalb gelten die Grenzen für die Zeit, in der Sie den Computer benutzen, immer; ohne diese Regel gelten die anderen, während Sie weg sind.</translation>
    </message>
    <message>
      <source>This system does not tell whether the network is metered, so the bandwidth limits for while you use the computer hold all the time.</source>
      <translation>Dieses System sagt nicht, ob das Netzwerk nach Verbrauch abgerechnet wird, deshalb gelten die Bandbreitengrenzen für die Zeit, in der Sie den Computer benutzen, immer.</translation>
    </message>
    <message>
      <source>This system does not tell whether you are away, and while you use the computer your limits allow no work: sharing never starts.</source>
      <translation>Dieses System sagt nicht, ob Sie weg sind, und während Sie den Computer benutzen, erlauben Ihre Grenzen keine Arbeit: Das Teilen beginnt nie.</translation>
    </message>
    <message>
      <source>This system does not tell whether you are away, so the limits for while you use the computer hold all the time.</source>
      <translation>Dieses System sagt nicht, ob Sie weg sind, deshalb gelten die Grenzen für die Zeit, in der Sie den Computer benutzen, immer.</translation>
    </message>
    <message>
      <source>Threads</source>
      <translation>Threads</translation>
    </message>
    <message>
      <source>Tiny. It is meant to guess ahead for Potluck Guide, not to be asked.</source>
      <translation>Winzig. Es soll für Potluck Guide vorausraten und nicht selbst gefragt werden.</translation>
    </message>
    <message>
      <source>Today: given {given}, taken {taken}.</source>
      <translation>Heute: gegeben {given}, genommen {taken}.</translation>
    </message>
    <message>
      <source>Tokens per second for others, last two minutes</source>
      <translation>Tokens je Sekunde für andere, letzte zwei Minuten</translation>
    </message>
    <message>
      <source>Too long by {n} characters</source>
      <translation>Um {n} Zeichen zu lang</translation>
    </message>
    <message>
      <source>Top p</source>
      <translation>Top p</translation>
    </message>
    <message>
      <source>Try again</source>
      <translation>Noch einmal versuchen</translation>
    </message>
    <message>
      <source>Under Models none is chosen; until one is, the small guide answers.</source>
      <translation>Unter „Modelle“ ist keines gewählt; bis dahin antwortet der kleine Guide.</translation>
    </message>
    <message>
      <source>Under Models, {model} is chosen.</source>
      <translation>Unter „Modelle“ ist {model} gewählt.</translation>
    </message>
    <message>
      <source>Until I resume</source>
      <translation>Bis ich fortsetze</translation>
    </message>
    <message>
      <source>Until then it stays as it was: {value}.</source>
      <translation>Bis dahin bleibt es, wie es war: {value}.</translation>
    </message>
    <message>
      <source>Until tomorrow</source>
      <translation>Bis morgen</translation>
    </message>
    <message>
      <source>Upload</source>
      <translation>Senden</translation>
    </message>
    <message>
      <source>Upload in slow mode</source>
      <translation>Senden im langsamen Modus</translation>
    </message>
    <message>
      <source>Upload while you are away</source>
      <translation>Hochladen, während Sie weg sind</translation>
    </message>
    <message>
      <source>Upload while you use the computer</source>
      <translation>Hochladen, während Sie den Computer benutzen</translation>
    </message>
    <message>
      <source>Version {version}</source>
      <translation>Version {version}</translation>
    </message>
    <message>
      <source>W</source>
      <translation>W</translation>
    </message>
    <message>
      <source>Waiting for helpers whose layers fit together…</source>
      <translation>Wartet auf Helfer, deren Schichten zusammenpassen…</translation>
    </message>
    <message>
      <source>Waiting for other computers to answer…</source>
      <translation>Wartet, bis andere Computer antworten…</translation>
    </message>
    <message>
      <source>Waiting for room with those who serve {layers}…</source>
      <translation>Wartet auf Platz bei denen, die bereithalten: {layers}…</translation>
    </message>
    <message>
      <source>Waiting for somebody who serves {layers}…</source>
      <translation>Wartet auf jemanden, der bereithält: {layers}…</translation>
    </message>
    <message>
      <source>Weekends</source>
      <translation>Wochenenden</translation>
    </message>
    <message>
      <source>What every answer keeps to.</source>
      <translation>Woran sich jede Antwort hält.</translation>
    </message>
    <message>
      <source>What happens where data is paid for.</source>
      <translation>Was geschieht, wo Daten Geld kosten.</translation>
    </message>
    <message>
      <source>What is Potluck?</source>
      <translation>Was ist Potluck?</translation>
    </message>
    <message>
      <source>What it does not do</source>
      <translation>Was es nicht tut</translation>
    </message>
    <message>
      <source>What programs on other computers must show to ask models here, 16 characters or more; without it only this computer's own may.</source>
      <translation>Was Programme auf anderen Computern vorweisen müssen, um hier Modelle zu fragen, mindestens 16 Zeichen; ohne ihn dürfen es nur die eigenen.</translation>
    </message>
    <message>
      <source>What was served and given cannot be read from {file} ({reason}). It stays as it is, and what is counted now is not kept.</source>
      <translation>Was bedient und gegeben wurde, kann nicht aus {file} gelesen werden ({reason}). Die Datei bleibt, wie sie ist, und was jetzt gezählt wird, wird nicht aufgehoben.</translation>
    </message>
    <message>
      <source>What you had decided about sharing could not be read, so sharing rests; say once more whether to share.</source>
      <translation>Ihre Entscheidung über das Teilen konnte nicht gelesen werden, deshalb ruht das Teilen; sagen Sie noch einmal, ob geteilt werden soll.</translation>
    </message>
    <message>
      <source>When a helper leaves in the middle of an answer, another one takes its place and the answer goes on.</source>
      <translation>Geht ein Helfer mitten in einer Antwort, tritt ein anderer an seine Stelle, und die Antwort geht weiter.</translation>
    </message>
    <message>
      <source>When may it work?</source>
      <translation>Wann darf es arbeiten?</translation>
    </message>
    <message>
      <source>Where it is cut off. A token is a short word, or a part of a longer one.</source>
      <translation>Wo abgeschnitten wird. Ein Token ist ein kurzes Wort oder ein Teil eines längeren.</translation>
    </message>
    <message>
      <source>Where other computers reach this one, as ADDRESS:PORT; 0.0.0.0 means every network it is in, and port 0 any that is free.</source>
      <translation>Wo andere Computer diesen erreichen, als ADRESSE:PORT; 0.0.0.0 heißt jedes Netz, in dem er ist, und Port 0 irgendeiner, der frei ist.</translation>
    </message>
    <message>
      <source>Where programs on this computer reach Potluck, as ADDRESS:PORT; the next free port is taken when this one is not.</source>
      <translation>Wo Programme auf diesem Computer Potluck erreichen, als ADRESSE:PORT; ist der Port nicht frei, wird der nächste freie genommen.</translation>
    </message>
    <message>
      <source>Whether Potluck starts when you log in.</source>
      <translation>Ob Potluck startet, wenn Sie sich anmelden.</translation>
    </message>
    <message>
      <source>Whether a graphics card computes where one works.</source>
      <translation>Ob eine Grafikkarte rechnet, wo eine funktioniert.</translation>
    </message>
    <message>
      <source>Whether a notification says that layers have arrived.</source>
      <translation>Ob eine Benachrichtigung sagt, dass Schichten angekommen sind.</translation>
    </message>
    <message>
      <source>Whether a notification says that sharing rests, and why.</source>
      <translation>Ob eine Benachrichtigung sagt, dass das Teilen ruht, und warum.</translation>
    </message>
    <message>
      <source>Whether a notification says that something needs you.</source>
      <translation>Ob eine Benachrichtigung sagt, dass etwas Sie braucht.</translation>
    </message>
    <message>
      <source>Whether computers elsewhere reach that port depends on your router; you reach them in any case.</source>
      <translation>Ob Computer anderswo diesen Port erreichen, hängt von Ihrem Router ab; Sie erreichen sie auf jeden Fall.</translation>
    </message>
    <message>
      <source>Whether memory and disk that are left keep layers ready that others may soon lack, and serve them too while they do.</source>
      <translation>Ob übriger Arbeitsspeicher und Festplattenplatz Schichten bereithalten, die anderen bald fehlen könnten, und sie mitbedienen, solange sie fehlen.</translation>
    </message>
    <message>
      <source>Whether others can reach this computer from outside, so that it may keep the list of who serves what for them.</source>
      <translation>Ob andere diesen Computer von außen erreichen, sodass er für sie die Liste führen darf, wer was bereithält.</translation>
    </message>
    <message>
      <source>Whether sharing rests while a program fills the screen, such as a game or a film.</source>
      <translation>Ob das Teilen ruht, während ein Programm den Bildschirm füllt, etwa ein Spiel oder ein Film.</translation>
    </message>
    <message>
      <source>Whether sharing rests while other programs need the processor.</source>
      <translation>Ob das Teilen ruht, während andere Programme den Prozessor brauchen.</translation>
    </message>
    <message>
      <source>Whether sharing rests while the computer is on battery.</source>
      <translation>Ob das Teilen im Akkubetrieb ruht.</translation>
    </message>
    <message>
      <source>Whether the graphics card may work for others while you are away.</source>
      <translation>Ob die Grafikkarte für andere arbeiten darf, während Sie weg sind.</translation>
    </message>
    <message>
      <source>Whether the graphics card may work for others while you use the computer.</source>
      <translation>Ob die Grafikkarte für andere arbeiten darf, während Sie den Computer benutzen.</translation>
    </message>
    <message>
      <source>Whether the window is light or dark.</source>
      <translation>Ob das Fenster hell oder dunkel ist.</translation>
    </message>
    <message>
      <source>Whether this computer's identity is kept in the system's keyring where there is one, instead of in a file only you can read.</source>
      <translation>Ob die Identität dieses Computers im Schlüsselbund des Systems liegt, wo es einen gibt, statt in einer Datei, die nur Sie lesen können.</translation>
    </message>
    <message>
      <source>While I am away</source>
      <translation>Während ich weg bin</translation>
    </message>
    <message>
      <source>While I use the computer</source>
      <translation>Während ich den Computer benutze</translation>
    </message>
    <message>
      <source>Who can read what I write?</source>
      <translation>Wer kann lesen, was ich schreibe?</translation>
    </message>
    <message>
      <source>Who serves which model</source>
      <translation>Wer welches Modell bereithält</translation>
    </message>
    <message>
      <source>Who writes the answers.</source>
      <translation>Wer die Antworten schreibt.</translation>
    </message>
    <message>
      <source>With a number here, the same question gets the same answer again.</source>
      <translation>Mit einer Zahl hier bekommt dieselbe Frage wieder dieselbe Antwort.</translation>
    </message>
    <message>
      <source>Write 16 to 200 letters, digits, - and _, or leave it empty.</source>
      <translation>Schreiben Sie 16 bis 200 Buchstaben, Ziffern, - und _, oder lassen Sie es leer.</translation>
    </message>
    <message>
      <source>Write an address, a colon and a port, such as 0.0.0.0:4433.</source>
      <translation>Schreiben Sie eine Adresse, einen Doppelpunkt und einen Port, etwa 0.0.0.0:4433.</translation>
    </message>
    <message>
      <source>Write an address, a colon and a port, such as 127.0.0.1:8423.</source>
      <translation>Schreiben Sie eine Adresse, einen Doppelpunkt und einen Port, etwa 127.0.0.1:8423.</translation>
    </message>
    <message>
      <source>Write one program per line, at most 64 lines of at most 100 letters.</source>
      <translation>Schreiben Sie ein Programm je Zeile, höchstens 64 Zeilen zu höchstens 100 Buchstaben.</translation>
    </message>
    <message>
      <source>Write this answer again</source>
      <translation>Diese Antwort neu schreiben</translation>
    </message>
    <message>
      <source>You find it in the tray; choose Quit in its menu to end it.</source>
      <translation>Sie finden es in der Symbolleiste; „Potluck beenden“ in seinem Menü beendet es.</translation>
    </message>
    <message>
      <source>You get</source>
      <translation>Sie bekommen</translation>
    </message>
    <message>
      <source>You give</source>
      <translation>Sie geben</translation>
    </message>
    <message>
      <source>Your computer computes for this model when it shares. Chat can use any of them.</source>
      <translation>Für dieses Modell rechnet Ihr Computer, wenn er teilt. Chatten können Sie mit jedem.</translation>
    </message>
    <message>
      <source>Your limits allow no work at all: give the processor or the graphics card a share.</source>
      <translation>Ihre Grenzen erlauben gar keine Arbeit: Geben Sie dem Prozessor oder der Grafikkarte einen Anteil.</translation>
    </message>
    <message>
      <source>Your message</source>
      <translation>Ihre Nachricht</translation>
    </message>
    <message>
      <source>Your own work always comes first. Each limit can be changed in the settings.</source>
      <translation>Ihre eigene Arbeit geht immer vor. Jede Grenze lässt sich in den Einstellungen ändern.</translation>
    </message>
    <message>
      <source>Your schedule allows no hour of the week, so sharing never starts.</source>
      <translation>Ihr Zeitplan erlaubt keine Stunde der Woche, deshalb beginnt das Teilen nie.</translation>
    </message>
    <message>
      <source>a number from {least:count} to {most:count}</source>
      <translation>eine Zahl von {least:count} bis {most:count}</translation>
    </message>
    <message>
      <source>a text</source>
      <translation>ein Text</translation>
    </message>
    <message>
      <source>a whole number from {least:count} to {most:count}</source>
      <translation>eine ganze Zahl von {least:count} bis {most:count}</translation>
    </message>
    <message>
      <source>about {speed}</source>
      <translation>etwa {speed}</translation>
    </message>
    <message>
      <source>all {count:count} layers</source>
      <translation>alle {count:count} Schichten</translation>
    </message>
    <message>
      <source>allowed</source>
      <translation>erlaubt</translation>
    </message>
    <message>
      <source>and {n} more</source>
      <translation>und {n} weitere</translation>
    </message>
    <message>
      <source>another one each time</source>
      <translation>jedes Mal eine andere</translation>
    </message>
    <message>
      <source>answers of models that no single one of us could run.</source>
      <translation>Antworten von Modellen, die keiner von uns allein betreiben könnte.</translation>
    </message>
    <message>
      <source>at most 16 texts, each PEERID@HOST:PORT</source>
      <translation>höchstens 16 Texte, jeder PEERID@HOST:PORT</translation>
    </message>
    <message>
      <source>at most 64 names of programs</source>
      <translation>höchstens 64 Namen von Programmen</translation>
    </message>
    <message>
      <source>at most {asked} {unit}</source>
      <translation>höchstens {asked} {unit}</translation>
    </message>
    <message>
      <source>bytes</source>
      <translation>Bytes</translation>
    </message>
    <message>
      <source>cannot be kept: this computer does not tell its graphics card's power, so the card does not compute</source>
      <translation>nicht einzuhalten: dieser Computer sagt nicht, wie viel seine Grafikkarte verbraucht, deshalb rechnet die Karte nicht</translation>
    </message>
    <message>
      <source>checked before each download</source>
      <translation>vor jedem Herunterladen geprüft</translation>
    </message>
    <message>
      <source>could be read by {names}</source>
      <translation>lesbar für {names}</translation>
    </message>
    <message>
      <source>counted</source>
      <translation>gezählt</translation>
    </message>
    <message>
      <source>days and hours such as 'mon-fri 18-8; sat,sun 0-24', 'never', or empty</source>
      <translation>Tage und Stunden wie 'mon-fri 18-8; sat,sun 0-24', 'never' oder leer</translation>
    </message>
    <message>
      <source>duty cycle</source>
      <translation>Rechnen im Wechsel mit Pausen</translation>
    </message>
    <message>
      <source>empty</source>
      <translation>leer</translation>
    </message>
    <message>
      <source>empty, or 16 to 200 letters, digits, - and _</source>
      <translation>leer, oder 16 bis 200 Buchstaben, Ziffern, - und _</translation>
    </message>
    <message>
      <source>every layer is served</source>
      <translation>jede Schicht ist versorgt</translation>
    </message>
    <message>
      <source>every layer is served by two or more</source>
      <translation>jede Schicht ist doppelt oder öfter versorgt</translation>
    </message>
    <message>
      <source>every layer is served, but the parts do not meet</source>
      <translation>jede Schicht ist versorgt, aber die Teile schließen nicht aneinander an</translation>
    </message>
    <message>
      <source>everybody who serves {units} has less than {tokens:count} tokens of room left</source>
      <translation>alle, die {units} bereithalten, haben weniger als {tokens:count} Tokens Platz</translation>
    </message>
    <message>
      <source>from Potluck's catalogue</source>
      <translation>aus Potlucks Katalog</translation>
    </message>
    <message>
      <source>from {origin}</source>
      <translation>von {origin}</translation>
    </message>
    <message>
      <source>handed over as a file; its publisher's key is {publisher}</source>
      <translation>als Datei übergeben; der Schlüssel des Herausgebers ist {publisher}</translation>
    </message>
    <message>
      <source>helped</source>
      <translation>half mit</translation>
    </message>
    <message>
      <source>helpers of your own chats could read along. Send no secrets.</source>
      <translation>Helfer Ihrer eigenen Chats könnten mitlesen. Senden Sie keine Geheimnisse.</translation>
    </message>
    <message>
      <source>it does not answer</source>
      <translation>er antwortet nicht</translation>
    </message>
    <message>
      <source>it is not text</source>
      <translation>es ist kein Text</translation>
    </message>
    <message>
      <source>its manifest names no origin</source>
      <translation>sein Manifest nennt keine Quelle</translation>
    </message>
    <message>
      <source>layer {layer}</source>
      <translation>Schicht {layer}</translation>
    </message>
    <message>
      <source>layers {first} to {last}</source>
      <translation>die Schichten {first} bis {last}</translation>
    </message>
    <message>
      <source>layers {layers}</source>
      <translation>die Schichten {layers}</translation>
    </message>
    <message>
      <source>licence {name}</source>
      <translation>Lizenz {name}</translation>
    </message>
    <message>
      <source>low priority</source>
      <translation>niedrige Priorität</translation>
    </message>
    <message>
      <source>minutes</source>
      <translation>Minuten</translation>
    </message>
    <message>
      <source>nested too deeply</source>
      <translation>zu tief verschachtelt</translation>
    </message>
    <message>
      <source>no layers</source>
      <translation>keine Schichten</translation>
    </message>
    <message>
      <source>nobody else could read it</source>
      <translation>niemand sonst konnte es lesen</translation>
    </message>
    <message>
      <source>nobody else serves {units} of this model now</source>
      <translation>niemand sonst hält gerade {units} dieses Modells bereit</translation>
    </message>
    <message>
      <source>nobody serves any layer of this model now</source>
      <translation>niemand hält gerade eine Schicht dieses Modells bereit</translation>
    </message>
    <message>
      <source>nobody serves it at the moment</source>
      <translation>zurzeit hält es niemand bereit</translation>
    </message>
    <message>
      <source>nobody serves {units} of this model now</source>
      <translation>niemand hält gerade {units} dieses Modells bereit</translation>
    </message>
    <message>
      <source>not allowed</source>
      <translation>nicht erlaubt</translation>
    </message>
    <message>
      <source>not asked</source>
      <translation>nicht gefragt</translation>
    </message>
    <message>
      <source>not measured</source>
      <translation>nicht gemessen</translation>
    </message>
    <message>
      <source>nothing is received faster than this</source>
      <translation>schneller wird nichts empfangen</translation>
    </message>
    <message>
      <source>nothing is sent faster than this</source>
      <translation>schneller wird nichts gesendet</translation>
    </message>
    <message>
      <source>nothing to download</source>
      <translation>nichts herunterzuladen</translation>
    </message>
    <message>
      <source>on its way</source>
      <translation>unterwegs</translation>
    </message>
    <message>
      <source>port {port}, on every network it is in</source>
      <translation>Port {port}, in jedem Netz, in dem er ist</translation>
    </message>
    <message>
      <source>received</source>
      <translation>empfangen</translation>
    </message>
    <message>
      <source>seconds</source>
      <translation>Sekunden</translation>
    </message>
    <message>
      <source>sent</source>
      <translation>gesendet</translation>
    </message>
    <message>
      <source>sent this month</source>
      <translation>diesen Monat gesendet</translation>
    </message>
    <message>
      <source>served by nobody</source>
      <translation>von niemandem versorgt</translation>
    </message>
    <message>
      <source>served by {n} computer</source>
      <translation>bereit auf {n} Computer</translation>
    </message>
    <message>
      <source>served by {n} computers</source>
      <translation>bereit auf {n} Computern</translation>
    </message>
    <message>
      <source>spare computing time, memory, disk space and network.</source>
      <translation>freie Rechenzeit, Speicher, Festplatte und Netz.</translation>
    </message>
    <message>
      <source>speed not measured yet</source>
      <translation>Tempo noch nicht gemessen</translation>
    </message>
    <message>
      <source>the chain does not answer</source>
      <translation>die Kette antwortet nicht</translation>
    </message>
    <message>
      <source>the chain is not whole</source>
      <translation>die Kette ist unvollständig</translation>
    </message>
    <message>
      <source>the input</source>
      <translation>die Eingabe</translation>
    </message>
    <message>
      <source>the input is served by nobody</source>
      <translation>den Eingang hält niemand bereit</translation>
    </message>
    <message>
      <source>the layers cannot be run here ({reasons})</source>
      <translation>die Schichten laufen hier nicht ({reasons})</translation>
    </message>
    <message>
      <source>the output</source>
      <translation>die Ausgabe</translation>
    </message>
    <message>
      <source>the output is served by nobody</source>
      <translation>den Ausgang hält niemand bereit</translation>
    </message>
    <message>
      <source>the worker cannot be started: {reason}</source>
      <translation>der Rechenprozess kann nicht gestartet werden: {reason}</translation>
    </message>
    <message>
      <source>the worker does not come back</source>
      <translation>der Rechenprozess kommt nicht wieder</translation>
    </message>
    <message>
      <source>the worker does not start ({how}); its log says why</source>
      <translation>der Rechenprozess startet nicht ({how}); warum, steht in seinem Protokoll</translation>
    </message>
    <message>
      <source>the worker does not start: it says nothing</source>
      <translation>der Rechenprozess startet nicht: er sagt nichts</translation>
    </message>
    <message>
      <source>the worker failed: {reason}</source>
      <translation>der Rechenprozess ist gescheitert: {reason}</translation>
    </message>
    <message>
      <source>the worker is being started again</source>
      <translation>der Rechenprozess wird neu gestartet</translation>
    </message>
    <message>
      <source>this computer</source>
      <translation>dieser Computer</translation>
    </message>
    <message>
      <source>this computer serves none of it now</source>
      <translation>dieser Computer hält gerade nichts davon bereit</translation>
    </message>
    <message>
      <source>this computer serves {layers}</source>
      <translation>dieser Computer hält bereit: {layers}</translation>
    </message>
    <message>
      <source>this computer would serve {layers}</source>
      <translation>dieser Computer würde bereithalten: {layers}</translation>
    </message>
    <message>
      <source>tokens</source>
      <translation>Tokens</translation>
    </message>
    <message>
      <source>tokens ever</source>
      <translation>Tokens insgesamt</translation>
    </message>
    <message>
      <source>tokens today</source>
      <translation>Tokens heute</translation>
    </message>
    <message>
      <source>true or false</source>
      <translation>wahr oder falsch</translation>
    </message>
    <message>
      <source>until you resume</source>
      <translation>bis Sie fortsetzen</translation>
    </message>
    <message>
      <source>until {time:time}</source>
      <translation>bis {time:time}</translation>
    </message>
    <message>
      <source>your files. A helper sees only the words of conversations it computes.</source>
      <translation>Ihre Dateien. Ein Helfer sieht nur die Worte der Gespräche, für die er rechnet.</translation>
    </message>
    <message>
      <source>{address} cannot be used on this computer ({reason}); nothing was changed.</source>
      <translation>{address} kann auf diesem Computer nicht benutzt werden ({reason}); nichts wurde geändert.</translation>
    </message>
    <message>
      <source>{choices}</source>
      <translation>{choices}</translation>
    </message>
    <message>
      <source>{count:count} answers are being written already; wait for one to end.</source>
      <translation>Es werden schon {count:count} Antworten geschrieben; warten Sie, bis eine fertig ist.</translation>
    </message>
    <message>
      <source>{count:count} damaged entries of {file} cannot be shown; they stay in the file.</source>
      <translation>{count:count} beschädigte Einträge in {file} lassen sich nicht zeigen; sie bleiben in der Datei.</translation>
    </message>
    <message>
      <source>{count:count} layers</source>
      <translation>{count:count} Schichten</translation>
    </message>
    <message>
      <source>{done} of {total}</source>
      <translation>{done} von {total}</translation>
    </message>
    <message>
      <source>{file} cannot be written, so the node could not be started: {reason}. Let Potluck write there, and try again.</source>
      <translation>{file} lässt sich nicht schreiben, darum ließ sich der Knoten nicht starten: {reason}. Lassen Sie Potluck dort schreiben, und versuchen Sie es noch einmal.</translation>
    </message>
    <message>
      <source>{file} is a model's own file. Make the list of its pieces with potluck publish first, and name that.</source>
      <translation>{file} ist die Datei eines Modells selbst. Erstellen Sie zuerst mit potluck publish die Liste seiner Teile, und nennen Sie diese.</translation>
    </message>
    <message>
      <source>{file} is in use and was kept; pause Potluck and try again.</source>
      <translation>{file} wird benutzt und wurde behalten; pausieren Sie Potluck, und versuchen Sie es noch einmal.</translation>
    </message>
    <message>
      <source>{file} was not taken: it is no list of a model's pieces that Potluck can use, or it was damaged or changed. Ask whoever gave it to you for a new one.</source>
      <translation>{file} wurde nicht angenommen: Die Datei ist keine Liste der Teile eines Modells, die Potluck nutzen kann, oder sie wurde beschädigt oder verändert. Bitten Sie, wer sie Ihnen gegeben hat, um eine neue.</translation>
    </message>
    <message>
      <source>{file} was written by a newer Potluck and stays as it is. New chats are lost when this Potluck ends; update it to see your chats again.</source>
      <translation>{file} wurde von einem neueren Potluck geschrieben und bleibt, wie es ist. Neue Chats gehen verloren, wenn dieses Potluck endet; aktualisieren Sie es, um Ihre Chats wieder zu sehen.</translation>
    </message>
    <message>
      <source>{first} and {second}</source>
      <translation>{first} und {second}</translation>
    </message>
    <message>
      <source>{first}, {second} and {third}</source>
      <translation>{first}, {second} und {third}</translation>
    </message>
    <message>
      <source>{folder} cannot be used: {reason}. Start Potluck with another folder.</source>
      <translation>{folder} lässt sich nicht benutzen: {reason}. Starten Sie Potluck mit einem anderen Ordner.</translation>
    </message>
    <message>
      <source>{folder} was removed or made again while Potluck runs. What happens now may not be kept; start Potluck again.</source>
      <translation>{folder} wurde entfernt oder neu angelegt, während Potluck läuft. Was jetzt geschieht, wird vielleicht nicht aufgehoben; starten Sie Potluck neu.</translation>
    </message>
    <message>
      <source>{helper} answers nonsense</source>
      <translation>{helper} antwortet Unsinn</translation>
    </message>
    <message>
      <source>{helper} breaks the rules</source>
      <translation>{helper} verletzt die Regeln</translation>
    </message>
    <message>
      <source>{helper} cannot be used: {reason}</source>
      <translation>{helper} ist nicht zu gebrauchen: {reason}</translation>
    </message>
    <message>
      <source>{helper} declines: {reason}</source>
      <translation>{helper} lehnt ab: {reason}</translation>
    </message>
    <message>
      <source>{helper} left: {reason}</source>
      <translation>{helper} ist gegangen: {reason}</translation>
    </message>
    <message>
      <source>{helper} returned something wrong: {reason}</source>
      <translation>{helper} hat etwas Falsches zurückgegeben: {reason}</translation>
    </message>
    <message>
      <source>{helper}: {reason}</source>
      <translation>{helper}: {reason}</translation>
    </message>
    <message>
      <source>{in_use} % of the processor while you work, {away} % while you are away, and {disk} GB of the disk for layers.</source>
      <translation>{in_use} % des Prozessors, während Sie arbeiten, {away} %, während Sie weg sind, und {disk} GB der Festplatte für Schichten.</translation>
    </message>
    <message>
      <source>{label}: back to {value}</source>
      <translation>{label}: zurück auf {value}</translation>
    </message>
    <message>
      <source>{lacking} ({broken})</source>
      <translation>{lacking} ({broken})</translation>
    </message>
    <message>
      <source>{measured} {unit} now</source>
      <translation>jetzt {measured} {unit}</translation>
    </message>
    <message>
      <source>{model} has the units {units}; {span} is not among them.</source>
      <translation>{model} hat die Einheiten {units}; {span} ist nicht darunter.</translation>
    </message>
    <message>
      <source>{name} cannot be {value}; it must be {expected}.</source>
      <translation>{name} kann nicht {value} sein; erwartet wird: {expected}.</translation>
    </message>
    <message>
      <source>{name} is not a setting of this version.</source>
      <translation>{name} ist keine Einstellung dieser Version.</translation>
    </message>
    <message>
      <source>{n} address or name was removed. Read it through before you pass it on.</source>
      <translation>{n} Adresse oder Name wurde entfernt. Lesen Sie es durch, bevor Sie es weitergeben.</translation>
    </message>
    <message>
      <source>{n} addresses and names were removed. Read it through before you pass it on.</source>
      <translation>{n} Adressen und Namen wurden entfernt. Lesen Sie es durch, bevor Sie es weitergeben.</translation>
    </message>
    <message>
      <source>{n} byte</source>
      <translation>{n} Byte</translation>
    </message>
    <message>
      <source>{n} bytes</source>
      <translation>{n} Bytes</translation>
    </message>
    <message>
      <source>{n} computer</source>
      <translation>{n} Computer</translation>
    </message>
    <message>
      <source>{n} computers</source>
      <translation>{n} Computer</translation>
    </message>
    <message>
      <source>{n} day</source>
      <translation>{n} Tag</translation>
    </message>
    <message>
      <source>{n} days</source>
      <translation>{n} Tage</translation>
    </message>
    <message>
      <source>{n} helper not drawn</source>
      <translation>{n} Helfer nicht gezeichnet</translation>
    </message>
    <message>
      <source>{n} helper was replaced</source>
      <translation>{n} Helfer wurde ersetzt</translation>
    </message>
    <message>
      <source>{n} helpers not drawn</source>
      <translation>{n} Helfer nicht gezeichnet</translation>
    </message>
    <message>
      <source>{n} helpers were replaced</source>
      <translation>{n} Helfer wurden ersetzt</translation>
    </message>
    <message>
      <source>{n} hour</source>
      <translation>{n} Stunde</translation>
    </message>
    <message>
      <source>{n} hours</source>
      <translation>{n} Stunden</translation>
    </message>
    <message>
      <source>{n} layer by one computer only</source>
      <translation>{n} Schicht nur auf einem Computer</translation>
    </message>
    <message>
      <source>{n} layer is served by nobody</source>
      <translation>{n} Schicht hält niemand bereit</translation>
    </message>
    <message>
      <source>{n} layers are served by nobody</source>
      <translation>{n} Schichten hält niemand bereit</translation>
    </message>
    <message>
      <source>{n} layers by one computer only</source>
      <translation>{n} Schichten nur auf einem Computer</translation>
    </message>
    <message>
      <source>{n} line</source>
      <translation>{n} Zeile</translation>
    </message>
    <message>
      <source>{n} lines</source>
      <translation>{n} Zeilen</translation>
    </message>
    <message>
      <source>{n} minute</source>
      <translation>{n} Minute</translation>
    </message>
    <message>
      <source>{n} minutes</source>
      <translation>{n} Minuten</translation>
    </message>
    <message>
      <source>{n} more model is served.</source>
      <translation>{n} weiteres Modell wird bereitgehalten.</translation>
    </message>
    <message>
      <source>{n} more models are served.</source>
      <translation>{n} weitere Modelle werden bereitgehalten.</translation>
    </message>
    <message>
      <source>{n} more on its way</source>
      <translation>{n} weiterer unterwegs</translation>
    </message>
    <message>
      <source>{n} more on their way</source>
      <translation>{n} weitere unterwegs</translation>
    </message>
    <message>
      <source>{n} other computer known.</source>
      <translation>{n} anderer Computer ist bekannt.</translation>
    </message>
    <message>
      <source>{n} other computers known.</source>
      <translation>{n} andere Computer sind bekannt.</translation>
    </message>
    <message>
      <source>{n} other helper</source>
      <translation>{n} anderer Helfer</translation>
    </message>
    <message>
      <source>{n} other helpers</source>
      <translation>{n} andere Helfer</translation>
    </message>
    <message>
      <source>{n} second</source>
      <translation>{n} Sekunde</translation>
    </message>
    <message>
      <source>{n} seconds</source>
      <translation>{n} Sekunden</translation>
    </message>
    <message>
      <source>{n} token</source>
      <translation>{n} Token</translation>
    </message>
    <message>
      <source>{n} tokens</source>
      <translation>{n} Tokens</translation>
    </message>
    <message>
      <source>{path} cannot be read ({reason}); the defaults hold, and sharing rests.</source>
      <translation>{path} kann nicht gelesen werden ({reason}); es gelten die Vorgaben, und das Teilen ruht.</translation>
    </message>
    <message>
      <source>{path} cannot be read ({reason}); the settings stay as they were.</source>
      <translation>{path} kann nicht gelesen werden ({reason}); die Einstellungen bleiben, wie sie waren.</translation>
    </message>
    <message>
      <source>{path} cannot be read: {reason}.</source>
      <translation>{path} kann nicht gelesen werden: {reason}.</translation>
    </message>
    <message>
      <source>{path} cannot be written ({reason}): this holds now, but will be forgotten when Potluck ends.</source>
      <translation>{path} kann nicht geschrieben werden ({reason}): Das gilt jetzt, wird aber vergessen, wenn Potluck endet.</translation>
    </message>
    <message>
      <source>{path} cannot be written ({reason}); the choice stays as it was.</source>
      <translation>{path} kann nicht geschrieben werden ({reason}); die Wahl bleibt, wie sie war.</translation>
    </message>
    <message>
      <source>{path} cannot be written ({reason}); the settings stay as they were.</source>
      <translation>{path} kann nicht geschrieben werden ({reason}); die Einstellungen bleiben, wie sie waren.</translation>
    </message>
    <message>
      <source>{path} could not be changed ({reason}); mend it by hand.</source>
      <translation>{path} konnte nicht geändert werden ({reason}); bringen Sie es von Hand in Ordnung.</translation>
    </message>
    <message>
      <source>{path} could not be written: {reason}. Choose another place.</source>
      <translation>{path} ließ sich nicht schreiben: {reason}. Wählen Sie einen anderen Ort.</translation>
    </message>
    <message>
      <source>{path} could not be written: {reason}. The chat is kept here.</source>
      <translation>{path} ließ sich nicht schreiben: {reason}. Der Chat ist hier erhalten.</translation>
    </message>
    <message>
      <source>{path} has what is no setting of this version ({names}); it is kept, for a newer version may know it.</source>
      <translation>{path} enthält, was keine Einstellung dieser Version ist ({names}); es bleibt erhalten, denn eine neuere Version kennt es vielleicht.</translation>
    </message>
    <message>
      <source>{path} is damaged ({reason}); the defaults hold for what cannot be read in it, and sharing rests. It stays as it is until you mend it, or change a setting here: then it is kept beside the new file.</source>
      <translation>{path} ist beschädigt ({reason}); für das, was darin nicht zu lesen ist, gelten die Vorgaben, und das Teilen ruht. Die Datei bleibt, wie sie ist, bis Sie sie in Ordnung bringen oder hier eine Einstellung ändern: Dann wird sie neben der neuen aufgehoben.</translation>
    </message>
    <message>
      <source>{path} is damaged and cannot be put aside ({reason}); mend it by hand.</source>
      <translation>{path} ist beschädigt und kann nicht beiseitegelegt werden ({reason}); bringen Sie es von Hand in Ordnung.</translation>
    </message>
    <message>
      <source>{path} is too large for a settings file; the defaults hold, and sharing rests. It stays as it is until you change a setting here, and is then kept beside the new file.</source>
      <translation>{path} ist zu groß für eine Einstellungsdatei; es gelten die Vorgaben, und das Teilen ruht. Die Datei bleibt, wie sie ist, bis Sie hier eine Einstellung ändern, und wird dann neben der neuen aufgehoben.</translation>
    </message>
    <message>
      <source>{path}: {complaint} The default holds, and sharing rests until it is mended.</source>
      <translation>{path}: {complaint} Es gilt die Vorgabe, und das Teilen ruht, bis das in Ordnung gebracht ist.</translation>
    </message>
    <message>
      <source>{path}: {complaint} The default holds.</source>
      <translation>{path}: {complaint} Es gilt die Vorgabe.</translation>
    </message>
    <message>
      <source>{paused}; finishing</source>
      <translation>{paused}; wird beendet</translation>
    </message>
    <message>
      <source>{place} of {count}</source>
      <translation>{place} von {count}</translation>
    </message>
    <message>
      <source>{program} always runs, so sharing would never start.</source>
      <translation>{program} läuft immer, deshalb würde das Teilen nie beginnen.</translation>
    </message>
    <message>
      <source>{program} could not be started: {reason}. Look whether it may be run, or install Potluck anew; then try again.</source>
      <translation>{program} ließ sich nicht starten: {reason}. Sehen Sie nach, ob es ausgeführt werden darf, oder installieren Sie Potluck neu; versuchen Sie es dann noch einmal.</translation>
    </message>
    <message>
      <source>{reason}.</source>
      <translation>{reason}.</translation>
    </message>
    <message>
      <source>{size} came free.</source>
      <translation>{size} wurden frei.</translation>
    </message>
    <message>
      <source>{size} in all</source>
      <translation>{size} insgesamt</translation>
    </message>
    <message>
      <source>{size} to download</source>
      <translation>{size} herunterzuladen</translation>
    </message>
    <message>
      <source>{speed} tokens/s</source>
      <translation>{speed} Tokens/s</translation>
    </message>
    <message>
      <source>{threads:count} threads with rests between batches</source>
      <translation>{threads:count} Threads mit Pausen zwischen den Rechenschritten</translation>
    </message>
    <message>
      <source>{time} left</source>
      <translation>noch {time}</translation>
    </message>
    <message>
      <source>{told:own}</source>
      <translation>{told:own}</translation>
    </message>
    <message>
      <source>{wanted} could not be had when Potluck started, so programs reach it at {url} now.</source>
      <translation>{wanted} war nicht zu haben, als Potluck startete; Programme erreichen es jetzt unter {url}.</translation>
    </message>
  </context>
</TS>
