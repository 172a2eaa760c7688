"""Takes of one track set one after another on the clip's timeline, as one sample table: one module a kind of track."""
