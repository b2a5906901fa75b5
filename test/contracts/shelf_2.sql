-- The second version of shelf.sql: what a new version may do, once each.

CREATE TABLE class (name varchar(10) PRIMARY KEY) USING ledger_state;
CREATE TABLE sale (name varchar(20), price bigint) USING ledger;
CREATE INDEX sale_by_name ON sale USING hash (name);
CREATE INDEX ON item (price);
INSERT INTO class VALUES ('plain'), ('dear');

-- what used the columns and tables that go
CREATE OR REPLACE FUNCTION expire(timer ledger.timer) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE item SET sold = -1 WHERE name = (timer).key;
END;
CREATE OR REPLACE FUNCTION wait(context ledger.context, name varchar, at timestamptz) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.set_timer('expire', wait.name, wait.at);
END;
DROP FUNCTION remind;
DROP FUNCTION take;
DROP FUNCTION keep;

-- state
ALTER TABLE item ADD COLUMN class varchar(10) NOT NULL DEFAULT 'plain' REFERENCES class, ADD COLUMN seen integer;
CREATE OR REPLACE FUNCTION put(context ledger.context, name varchar, price bigint DEFAULT 5) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO item (name, owner, price, class) VALUES (put.name, (context).member, rounded(put.price), CASE WHEN put.price > 100 THEN 'dear' ELSE 'plain' END);
END;
ALTER TABLE item DROP COLUMN note;
UPDATE item SET class = 'dear' WHERE price > 100;
ALTER TABLE item ADD CONSTRAINT positive CHECK (price >= 0), ALTER COLUMN price DROP DEFAULT;
CREATE TABLE label (number integer PRIMARY KEY, body varchar(20) NOT NULL) USING ledger_state;
INSERT INTO label SELECT m.number, m.body FROM mark AS m;
DROP TABLE mark;

-- what one statement cannot do
CREATE FUNCTION number_items() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    r record;
    number integer := 0;
BEGIN
    FOR r IN SELECT i.name FROM item AS i ORDER BY i.name COLLATE "C" LOOP
        number := number + 1;
        UPDATE item SET seen = number WHERE name = r.name;
    END LOOP;
END $$;
SELECT number_items();
DROP FUNCTION number_items;

CREATE FUNCTION sell(context ledger.context, name varchar) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE item SET sold = (context).member WHERE name = sell.name;
END;
CREATE FUNCTION on_sale(context ledger.context, name varchar, price bigint) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE item SET price = on_sale.price WHERE item.name = on_sale.name;
END;

CREATE OR REPLACE VIEW dear AS SELECT i.name, i.price, i.class FROM item AS i WHERE i.class = 'dear';
GRANT SELECT ON class, label, sale TO PUBLIC;
COMMENT ON TABLE item IS 'things that are sold';
