CREATE TABLE IF NOT EXISTS tasks (
  id    bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  title text    NOT NULL,
  done  boolean NOT NULL DEFAULT false
);

CREATE TABLE IF NOT EXISTS changes (
  task bigint      NOT NULL REFERENCES tasks,
  what text        NOT NULL,
  at   timestamptz NOT NULL DEFAULT now()
);
