# Plans for calls follow from the schema of the contract alone: the same with few rows
# and many, with statistics that say that nearly all rows are alike, and beside indexes of
# this member's own.  What the server has planned is what auto_explain says in its log,
# costs and rows included.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerContract;
use LedgerWire;

plan skip_all => 'auto_explain is not installed' if !-e `pg_config --pkglibdir` =~ s/\n//r . '/auto_explain.so';

my $wires = LedgerWire->new(1, ordered => 1, conf => <<'END');
shared_preload_libraries = 'telco_ledger, auto_explain'
auto_explain.log_min_duration = 0
auto_explain.log_nested_statements = on
END
my $node = $wires->node(1);
my $wait = $PostgreSQL::Test::Utils::timeout_default . ' s';
my $number = 0;

$wires->announce(1);
deploy($wires, 1, 'plan', <<'END');
CREATE TABLE part (k integer PRIMARY KEY, kind integer NOT NULL, other integer NOT NULL, note varchar(20)) USING ledger_state;
CREATE INDEX part_by_kind ON part (kind);
CREATE TABLE piece (k integer REFERENCES part, n integer, amount bigint NOT NULL CHECK (amount > 0), PRIMARY KEY (k, n)) USING ledger_state;
CREATE TABLE heard (kind integer, other integer) USING ledger;
CREATE INDEX heard_by_kind ON heard (kind);
CREATE TABLE found (number integer PRIMARY KEY, a bigint, b bigint, c bigint, d bigint, e bigint, f bigint, g bigint) USING ledger_state;
CREATE FUNCTION fill(context ledger.context, many integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. many LOOP INSERT INTO part VALUES (i, 3, i) ON CONFLICT (k) DO NOTHING; END LOOP;
END $$;
CREATE FUNCTION double(context ledger.context, many integer) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO part SELECT p.k + many, p.kind, p.other + many FROM part AS p;
END;
CREATE FUNCTION break_up(context ledger.context) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO piece SELECT p.k, 1, 5 FROM part AS p WHERE p.k <= 5000;
END;
CREATE FUNCTION read(number integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    r record;
    a bigint; b bigint; c bigint; d bigint; e bigint; f bigint; g bigint := 0;
BEGIN
    SELECT count(*) INTO a FROM part WHERE kind = 3;
    SELECT count(*) INTO b FROM part WHERE other = 5;
    SELECT count(*) INTO c FROM piece AS s JOIN part AS p ON p.k = s.k WHERE s.n = 1;
    SELECT count(*) INTO d FROM heard WHERE kind = 3;
    SELECT count(*) INTO e FROM heard WHERE other = 5;
    SELECT count(*) INTO f FROM piece WHERE n NOT IN (SELECT p.k FROM part AS p WHERE p.other > 5);
    FOR r IN SELECT s.k, s.n FROM piece AS s ORDER BY s.k, s.n LOOP EXIT WHEN g = 3; g := g + 1; END LOOP;
    INSERT INTO found VALUES (number, a, b, c, d, e, f, g);
END $$;
CREATE FUNCTION look(context ledger.context, number integer) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE part SET note = 'seen' WHERE part.k = look.number;
    UPDATE part SET note = 'seen' WHERE part.kind = 4 AND part.other = 5;
    DELETE FROM piece WHERE piece.k = look.number AND piece.n = 1;
    DELETE FROM part WHERE part.k = look.number AND NOT EXISTS (SELECT FROM piece AS s WHERE s.k = part.k);
    SELECT read(look.number);
END;
END
ok($wires->poll(1, q{SELECT state FROM ledger.contract WHERE name = 'plan'}, 'deployed'), 'a contract is deployed');

sub outcome
{
	my ($call) = @_;
	my $ref = $wires->sql(1, "SELECT plan.$call");

	return $wires->sql(1, "SELECT state, message FROM ledger.outcome('$ref', '$wait')");
}

# Plans of statements on tables of the contract that were run by what is given to it.
sub plans
{
	my ($run) = @_;
	my $before = -s $node->logfile;

	$run->();
	my @found = substr(slurp_file($node->logfile), $before) =~ /\d\] LOG:  duration: .* plan:\n((?:\t.*\n)+)/g;

	return join '', grep { / on (part|piece|heard|found)\b/ } @found;
}

sub plans_of_look
{
	return plans(sub { is(outcome('look(' . ++$number . ')'), 'done|', "call $number is done") });
}

is(outcome('fill(3)'), 'done|', 'few rows');
my $plans = plans_of_look();

# What each is by.
like($plans, qr/Index Scan using part_pkey on part /, 'a row is found by its key in a table of three');
like($plans, qr/part_by_kind/, 'rows by the index of the contract');
like($plans, qr/Seq Scan on part/, 'or by none');
like($plans, qr/Nested Loop[^\0]*Index Scan using part_pkey on part p /, 'and a join is by the key');
like($plans, qr/Index Scan using heard_by_kind on heard/, 'those of a ledger table too');
like($plans, qr/NOT \(hashed SubPlan 1\)/, 'NOT IN reads its table once');
like($plans, qr/Index Scan using piece_pkey on piece s/, 'a loop takes rows as the key has them');
like($plans, qr/Query Text: SELECT 1 FROM ONLY "plan"."piece".*\n\s+LockRows.*\n.*Index Scan using piece_pkey/, 'a foreign key looks into the key');

# Many rows, nearly all alike, statistics that say so, and indexes that fit better.
is(outcome('fill(1000)'), 'done|', 'more');
is(outcome('double(' . 1000 * 2**$_ . ')'), 'done|', 'twice as many') foreach (0 .. 6);
is($wires->sql(1, 'SELECT count(*) FROM plan.part'), '128000', 'a hundred thousand and more');
is(outcome('break_up()'), 'done|', 'some of them in pieces');
$wires->sql(1, 'INSERT INTO plan.heard SELECT 3, n FROM generate_series(1, 5000) AS n');
$wires->sql(1, $_) foreach ('CREATE INDEX own_other ON plan.part (other)', 'CREATE INDEX own_both ON plan.part (kind, other)', 'CREATE INDEX own_n ON plan.piece (n)', 'CREATE INDEX own_heard ON plan.heard (other)',
	'CREATE INDEX own_part ON plan.heard (kind) WHERE other > 5', 'CREATE STATISTICS own_statistics ON kind, other FROM plan.part', 'VACUUM ANALYZE plan.part, plan.piece, plan.heard');
like($wires->sql(1, "EXPLAIN SELECT FROM plan.part WHERE $_->[0]"), $_->[1], "a session plans by $_->[2]") foreach ([ 'other = 5', qr/own_other/, 'own indexes' ], [ 'kind = 3', qr/Seq Scan/, 'statistics' ]);

my $again = plans_of_look();

is($again, $plans, 'a call has the same plans, by the same costs');
unlike($again, qr/own_/, 'without own indexes');
is($wires->sql(1, 'SELECT number, a, b, c, d, e, f, g FROM plan.found ORDER BY number'), "1|2|0|0|0|0|0|0\n2|127999|1|4999|5000|1|4999|3", 'and has found what is there');

# A new version has other names for indexes while it runs.
my $changes = plans(
	sub {
		deploy($wires, 1, 'plan', q{UPDATE part SET note = 'kind' WHERE kind = 5; UPDATE part SET note = 'other' WHERE other = 5});
		ok($wires->poll(1, q{SELECT state FROM ledger.contract WHERE name = 'plan' AND version = 2}, 'deployed'), 'a new version changes rows');
	});
my @scans = $changes =~ /(\w+ Scan (?:using|on) \w+)/g;

is(join("\n", @scans) =~ s/ledger_own_index_\d+/another_name/gr, "Index Scan using another_name\nSeq Scan on part", 'by the index of the contract, and not by the own one');

# A member may drop such an index: all judge a new version as if there were any, whether
# it is there or not.
sub judged
{
	my ($column) = @_;

	return $wires->sql(1, "SELECT construct || ': ' || why FROM ledger.check_contract('CREATE FUNCTION count_up() RETURNS void LANGUAGE sql BEGIN ATOMIC"
		  . " UPDATE found SET a = (SELECT count(*) FROM part AS p WHERE p.$column = found.number); END', 'plan')");
}

is(judged($_), '', "a subquery by $_") foreach ('kind', 'other');
$wires->sql(1, 'DROP INDEX plan.part_by_kind');
is(judged($_), '', "and where that was dropped by $_") foreach ('kind', 'other');

done_testing();
