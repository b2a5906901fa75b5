# What is made of a contract's definitions is kept from block to block: the plans of functions in
# SQL, and the CHECK constraints of state tables.  Nothing is planned for a call like those
# before; a change of a function, an index or a constraint has its effect on the next one.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerContract;
use LedgerWire;

my $wires = LedgerWire->new(1, ordered => 1);
my $node = $wires->node(1);
my $wait = $PostgreSQL::Test::Utils::timeout_default . ' s';

sub version
{
	my ($version, $text) = @_;

	deploy($wires, 1, 'keep', $text);
	return ok($wires->poll(1, "SELECT state FROM ledger.contract WHERE name = 'keep' AND version = $version", 'deployed'), "version $version is deployed");
}

sub outcome_of { my ($ref) = @_; return $wires->sql(1, "SELECT state FROM ledger.outcome('$ref', '$wait')") }
sub outcome { my ($call) = @_; return outcome_of($wires->sql(1, "SELECT keep.$call")) }
sub words { return $wires->sql(1, q{SELECT string_agg(word, ' ' ORDER BY number) FROM keep.said}) }

$wires->announce(1);
version(1, <<'END');
CREATE TABLE said (number integer PRIMARY KEY, word text NOT NULL, CONSTRAINT natural_number CHECK (number >= 0)) USING ledger_state;
CREATE TABLE item (k integer PRIMARY KEY, kind integer NOT NULL, note varchar(10), CONSTRAINT positive CHECK (kind > 0)) USING ledger_state;
CREATE INDEX item_by_kind ON item (kind);
CREATE TABLE heard (word text) USING ledger;
CREATE FUNCTION inside(number integer) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO said VALUES (inside.number, 'one');
END;
CREATE FUNCTION say(context ledger.context, number integer) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT inside(say.number);
END;
CREATE FUNCTION put(context ledger.context, k integer, kind integer) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO item VALUES (put.k, put.kind);
    UPDATE item SET note = 'seen' WHERE item.kind = put.kind;
    DELETE FROM item WHERE item.kind = put.kind AND item.note = 'said';
END;
CREATE FUNCTION hear(context ledger.context, number integer) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO said SELECT hear.number, count(*)::text FROM heard AS h;
END;
END

my $worker = $wires->sql(1, q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'telco_ledger worker'});

# How many statements the worker plans for a call, which is done: not its own, of which it plans
# one that is due for the first time.
sub planned
{
	my ($call, $name) = @_;
	my $before = -s $node->logfile;

	is(outcome($call), 'done', $name);
	my @plans = substr(slurp_file($node->logfile), $before) =~ /\[$worker\] LOG:  PLANNER STATISTICS\n(.*?)(?=\n\d{4}-\d\d-[^\n]* LOG:  |\z)/gs;
	return scalar(grep { !/CONTEXT:  SQL statement "[^\n]*ledger_internal\./ } @plans);
}

$wires->sql(1, "ALTER SYSTEM SET log_planner_stats = on;\nSELECT pg_reload_conf()");
cmp_ok(planned('put(1, 5)', 'a call is done'), '>=', 3, 'its statements are planned');
is(outcome('put(2, 5)'), 'done', 'and another, by which the library has its own plans');
is(planned('put(3, 5)', 'one like those before is done'), 0, 'nothing is planned for it');
is(outcome('say(1)'), 'done', 'that goes for one that calls a function');
is(planned('say(2)', 'which is done again'), 0, 'nothing is planned for that');

# Of an index.
$wires->sql(1, 'CREATE INDEX own_kind ON keep.item (kind, k)');
cmp_ok(planned('put(4, 5)', 'where its table has an index more it is done'), '>=', 3, 'its statements are planned anew');
is(planned('put(5, 5)', 'and again'), 0, 'and kept from then on');
$wires->sql(1, 'DROP INDEX keep.item_by_kind');
is(outcome('put(6, 5)'), 'done', 'it does without an index that is gone');
$wires->sql(1, "ALTER SYSTEM RESET log_planner_stats;\nSELECT pg_reload_conf()");

# A kept plan locks the tables that it reads.
is(outcome("hear($_)"), 'done', 'a call reads a ledger table') foreach (10, 11);
my $session = $node->background_psql('postgres');

$session->query_safe('BEGIN; LOCK TABLE keep.heard IN ACCESS EXCLUSIVE MODE');
my $ref = $wires->sql(1, 'SELECT keep.hear(12)');

ok($wires->poll(1, "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $worker AND NOT granted AND relation = 'keep.heard'::regclass)"), 'it waits for who has locked that');
$session->query_safe('COMMIT');
$session->quit;
is(outcome_of($ref), 'done', 'and is done behind that');

# Of a function: the one that is called is as it was, and calls one that is not.
is(outcome('say(3)'), 'done', 'another call is done');
version(2, q{CREATE OR REPLACE FUNCTION inside(number integer) RETURNS void LANGUAGE sql BEGIN ATOMIC INSERT INTO said VALUES (inside.number, 'two'); END});
is(outcome('say(4)'), 'done', 'one calls a function that the version has replaced');
is(words(), 'one one one two 0 0 0', 'and does what that does now');

# Of a constraint: there are as many as before.
version(3, q{ALTER TABLE said DROP CONSTRAINT natural_number; ALTER TABLE said ADD CONSTRAINT few CHECK (number < 100)});
is(outcome('say(100)'), 'failed', 'a constraint of a new version holds for the next call');
version(4, q{ALTER TABLE said DROP CONSTRAINT few; ALTER TABLE said ADD CONSTRAINT natural_number CHECK (number >= 0)});
is(outcome('say(100)'), 'done', 'one that it has dropped does not');
is(words(), 'one one one two 0 0 0 two', 'and the row is there');

done_testing();
