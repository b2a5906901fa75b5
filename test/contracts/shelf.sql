-- Things on a shelf; a second version of it is in shelf_2.sql.

CREATE TABLE item (
    name varchar(20) PRIMARY KEY,
    owner bigint NOT NULL,
    note varchar(50),
    price bigint NOT NULL DEFAULT 1,
    sold bigint
) USING ledger_state;
CREATE TABLE mark (number integer PRIMARY KEY, body varchar(10) NOT NULL) USING ledger_state;
CREATE TABLE offer (name varchar(20), price bigint) USING ledger;
CREATE TABLE review (name varchar(20), body varchar(50), key bytea, signature bytea) USING ledger;
CREATE INDEX offer_by_name ON offer USING hash (name);
CREATE INDEX item_by_owner ON item (owner);
CREATE INDEX mark_by_body ON mark (body);

CREATE FUNCTION rounded(price bigint) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN price / 10 * 10;

CREATE FUNCTION put(context ledger.context, name varchar, price bigint DEFAULT 1) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO item (name, owner, note, price) VALUES (put.name, (context).member, 'new', put.price);
END;

CREATE FUNCTION take(context ledger.context, name varchar) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    DELETE FROM item WHERE name = take.name;
END;

CREATE FUNCTION keep(context ledger.context, number integer, body varchar DEFAULT 'x') RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO mark VALUES (keep.number, keep.body);
END;

CREATE FUNCTION on_offer(context ledger.context, name varchar, price bigint) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE item SET price = on_offer.price WHERE item.name = on_offer.name;
END;

CREATE FUNCTION expire(timer ledger.timer) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE item SET note = 'expired' WHERE name = (timer).key;
END;

CREATE FUNCTION remind(timer ledger.timer) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE item SET note = 'reminded' WHERE name = (timer).key;
END;

CREATE FUNCTION wait(context ledger.context, name varchar, at timestamptz) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.set_timer('expire', wait.name, wait.at);
    SELECT ledger.set_timer('remind', wait.name, wait.at);
END;

CREATE FUNCTION raise(context ledger.context, amount bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    r record;
BEGIN
    FOR r IN SELECT i.name, i.price FROM item AS i ORDER BY i.name COLLATE "C" LOOP
        UPDATE item SET price = r.price + amount WHERE name = r.name;
    END LOOP;
END $$;

CREATE VIEW dear AS SELECT i.name, i.price FROM item AS i WHERE i.price > 100;
GRANT SELECT ON item, mark, dear, offer, expire_timer TO PUBLIC;
