CREATE TABLE IF NOT EXISTS items (
  id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name  text   NOT NULL CONSTRAINT items_name UNIQUE,
  stock int    NOT NULL CHECK (stock >= 0)
);

CREATE TABLE IF NOT EXISTS orders (
  id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  item  bigint NOT NULL REFERENCES items,
  count int    NOT NULL CHECK (count > 0)
);
