"""The ledger's schema: one script a version, each taking the ledger of the version before; never changed afterwards."""

MIGRATIONS = (
    """
    CREATE TABLE job (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        path TEXT NOT NULL,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        options TEXT NOT NULL,
        state TEXT NOT NULL,
        position INTEGER NOT NULL,
        outputs TEXT NOT NULL,
        claim TEXT,
        duration INTEGER,
        worked_ms INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE listening (
        job INTEGER PRIMARY KEY REFERENCES job ON DELETE CASCADE,
        heard INTEGER NOT NULL DEFAULT 0,
        done INTEGER NOT NULL DEFAULT 0,
        checkpoint TEXT NOT NULL DEFAULT '',
        probed TEXT
    );
    CREATE TABLE attempt (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
        stage TEXT NOT NULL,
        start INTEGER NOT NULL,
        "end" INTEGER NOT NULL,
        windows INTEGER NOT NULL,
        recipe TEXT NOT NULL,
        began INTEGER NOT NULL,
        ended INTEGER,
        outcome TEXT,
        reason TEXT NOT NULL DEFAULT ''
    );
    CREATE INDEX attempt_job ON attempt (job);
    CREATE TABLE span (
        job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
        stage TEXT NOT NULL,
        start INTEGER NOT NULL,
        "end" INTEGER NOT NULL CHECK ("end" > start),
        attempt INTEGER REFERENCES attempt ON DELETE CASCADE,
        data TEXT,
        PRIMARY KEY (job, stage, start)
    );
    CREATE INDEX span_attempt ON span (attempt);
    CREATE TABLE event (
        seq INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        job INTEGER,
        kind TEXT NOT NULL,
        data BLOB NOT NULL
    );
    CREATE INDEX event_job ON event (job, seq) WHERE job IS NOT NULL;
    CREATE TABLE memory (
        seq INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        tree INTEGER NOT NULL,
        budget INTEGER NOT NULL,
        available INTEGER NOT NULL
    );
    """,
    """
    ALTER TABLE attempt ADD COLUMN peak INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE attempt ADD COLUMN slowest_ms INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE memory ADD COLUMN device INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE memory ADD COLUMN swap INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE memory ADD COLUMN pressure TEXT NOT NULL DEFAULT 'normal';
    ALTER TABLE span ADD COLUMN flaws TEXT;
    CREATE INDEX span_place ON span (job, stage, start, "end");
    CREATE INDEX event_worker ON event (seq)
        WHERE kind IN ('EngineStarted','WorkerStarted','WorkerReady','WorkerEnded');
    CREATE INDEX event_quiet ON event (at)
        WHERE kind IN ('SpeechHeard','ChunkStarted','ChunkDone','BatchStarted','BatchDone','QueueOrdered');
    CREATE INDEX event_added ON event (job, seq) WHERE kind = 'JobAdded';
    """,
    """
    CREATE TABLE known (
        fingerprint TEXT NOT NULL,
        path TEXT NOT NULL,
        job INTEGER NOT NULL,
        at INTEGER NOT NULL,
        removed INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (fingerprint, path)
    );
    CREATE INDEX known_job ON known (job);
    """,
)
"""``PRAGMA user_version`` says how many of these a ledger has seen."""
