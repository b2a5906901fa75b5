# A shared table of four members: rows inserted on each appear on all of them,
# with their refs, in block order.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1);
my @members = (1 .. 4);
my $id = '00112233-4455-6677-8899-aabbccddeeff';

foreach my $member (@members)
{
	$wires->wait_streaming($member, $_) foreach (grep { $_ != $member } @members);
	# a rule that a session of a superuser can get around
	$wires->sql($member, q{CREATE FUNCTION price_is_fair(numeric) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$SELECT $1 > 0 OR coalesce(current_setting('test.lenient', true), '') = 'on'$$});
	$wires->sql($member, 'CREATE TABLE offer (id bigint NOT NULL, price numeric(10,2) CONSTRAINT offer_price_check CHECK (price_is_fair(price)), note text) USING ledger');
	$wires->sql($member, "SELECT ledger_internal.share_table('offer', '$id')");
	# a rule that asks for more than a server can make
	$wires->sql($member, q{CREATE FUNCTION is_short(bigint) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$SELECT coalesce(current_setting('test.lenient', true), '') = 'on' OR length(repeat('0123456789', $1::int)) < 100$$});
	$wires->sql($member, 'CREATE TABLE paper (id bigint CHECK (is_short(id)), content jsonb, old json[], codes name[]) USING ledger');
	$wires->sql($member, "SELECT ledger_internal.share_table('paper', '${\ ($id =~ s/ff$/fe/r)}')");
}
is($wires->sql(1, "SELECT s.relation, s.table_id, s.contract, t.table_id = s.table_id FROM ledger_internal.shared_table AS s JOIN ledger_internal.ledger_table AS t USING (relation) WHERE s.relation = 'offer'::regclass"), "offer|$id|test|t", 'a table is shared under an id');
like(($wires->node(1)->psql('postgres', "SELECT ledger_internal.share_table('offer', gen_random_uuid())"))[2], qr/table "offer" cannot become a shared table.*\n.*It is shared already\..*\nHINT:  Nothing is left to do for it/, 'once');
$wires->sql(1, 'INSERT INTO cdr VALUES (1)');
like(($wires->node(1)->psql('postgres', "SELECT ledger_internal.share_table('cdr', gen_random_uuid())"))[2], qr/table "cdr" cannot become a shared table.*\n.*It has rows\..*\nHINT:  Create a new table for it\./, 'and before it has rows');
{
	my %reasons = (
		'USING heap' => qr/It is no ledger table\..*\nHINT:  Create it USING ledger\./,
		'USING ledger' => qr/It has a generated column, .*\nHINT:  Let a view compute the column\./);

	like(($wires->node(1)->psql('postgres', "BEGIN; CREATE TABLE made (id bigint, twice bigint GENERATED ALWAYS AS (2 * id) STORED) $_; SELECT ledger_internal.share_table('made', gen_random_uuid())"))[2], qr/table "made" cannot become a shared table.*\n.*$reasons{$_}/, "nor one $_") foreach (sort keys %reasons);
}
like(($wires->node(1)->psql('postgres', "BEGIN; CREATE ROLE nobody; GRANT USAGE ON SCHEMA ledger_internal TO nobody; GRANT EXECUTE ON FUNCTION ledger_internal.share_table(regclass, uuid, text, bigint) TO nobody; SET ROLE nobody; SELECT ledger_internal.share_table('pg_class', gen_random_uuid())"))[2], qr/only a superuser makes a table shared by hand.*\nHINT:  Deploy a contract/, 'and a superuser only');

# A row of each is everywhere, under the ref that its origin gave it.
my %ref;

foreach my $member (@members)
{
	$ref{$member} = $wires->sql($member, "INSERT INTO offer VALUES ($member, 1.50, 'of $member') RETURNING ledger_ref");
	like($wires->sql($member, "SELECT ledger.wait_final('$ref{$member}', '170 s')"), qr/^\d+$/, "a row of member $member is final");
}
my $expected = join "\n", map { "$_|1.50|of $_|$ref{$_}|$_" } @members;

foreach my $member (@members)
{
	like($wires->sql($member, "SELECT ledger.wait_final('$ref{$_}', '170 s')"), qr/^\d+$/, "and at member $member that of member $_") foreach (@members);
	is($wires->sql($member, 'SELECT id, price, note, ledger_ref, ledger.member(ledger_ref) FROM offer ORDER BY id'), $expected, "all rows are at member $member");
	is($wires->sql($member, "SELECT ledger.height('$ref{2}'), ledger.finality('$ref{2}'), ledger.is_final('$ref{2}'), ledger.relation_of('$ref{2}'), ledger.block_time('$ref{2}') > '2026-01-01'"),
		$wires->sql(2, "SELECT ledger.height('$ref{2}')") . '|final|t|offer|t', "member $member knows what one of them is");
}

# What a superuser's session lets pass is refused by all members alike, the
# origin among them.  The rows around it are not.
my $bad;

{
	my @refs = split /\n/, $wires->sql(2, "SET test.lenient = 'on'; INSERT INTO offer SELECT 100 + n, CASE n WHEN 3 THEN -1 ELSE n END, 'x' FROM generate_series(1, 5) AS n RETURNING ledger_ref");

	$bad = $refs[2];
	like(($wires->node(2)->psql('postgres', "SELECT ledger.wait_final('$bad', '170 s')"))[2], qr/row \Q$bad\E was rejected.*\n.*all members have refused it/, 'whoever waits for a bad row is told so');
	foreach my $member (@members)
	{
		$wires->sql($member, "SELECT ledger.wait_final('$refs[4]', '170 s')");
		is($wires->sql($member, "SELECT ref, relation, height = ledger.height('$refs[4]'), sqlstate, reason, octet_length(bytes) > 56 FROM ledger.rejected"),
			"$bad|offer|t|23514|the row breaks check constraint \"offer_price_check\" of shared table \"offer\"|t", "member $member refuses it and says why");
		is($wires->sql($member, "SELECT ledger.finality('$bad'), ledger.is_final('$bad')"), 'rejected|f', 'and what it is');
		is($wires->sql($member, "CREATE ROLE passer; SET ROLE passer; SELECT ref, reason IS NOT NULL, bytes FROM ledger.rejected WHERE ref = '$bad'"), "$bad|t|", 'whoever may not read the table is not shown the row');
		is($wires->sql($member, "RESET ROLE; GRANT SELECT ON offer TO passer; SET ROLE passer; SELECT bytes IS NOT NULL FROM ledger.rejected WHERE ref = '$bad'"), 't', 'whoever may is');
		$wires->sql($member, 'RESET ROLE; DROP OWNED BY passer; DROP ROLE passer');
		is($wires->sql($member, 'SELECT string_agg(id::text, \',\' ORDER BY id) FROM offer WHERE id > 100'), $member == 2 ? '101,102,103,104,105' : '101,102,104,105', 'the others are there');
	}
}

# A refusal is one of a place: what an author's later batch says under a ref that
# is final says nothing about the row.
{
	my ($height, $batch) = split /\|/, $wires->sql(1, "SELECT height, batch FROM ledger_internal.foreign_rows WHERE '$ref{2}' BETWEEN first_ref AND last_ref");
	my %told = ("$height + 1, $batch" => 'final', "$height, $batch + 1" => 'final', "$height, $batch" => 'rejected');

	foreach my $place (sort keys %told)
	{
		$wires->sql(1, "INSERT INTO ledger_internal.refused_row VALUES ('$ref{2}', '$id', $place, '23514', 'x', '')");
		is($wires->sql(1, "SELECT ledger.finality('$ref{2}'), ledger.is_final('$ref{2}')"), $told{$place} . ($told{$place} eq 'final' ? '|t' : '|f'), "a row that is refused at $place is $told{$place}");
		$wires->sql(1, "DELETE FROM ledger_internal.refused_row WHERE ref = '$ref{2}'");
	}
}

# Nobody else brings rows of other members.
like(($wires->node(1)->psql('postgres', "INSERT INTO offer (id, price, ledger_ref) VALUES (1, 1, '2.0.1.1')"))[2], qr/was not issued to this row/, 'a session cannot');
like(($wires->node(1)->psql('postgres', "INSERT INTO offer (id, price, note) VALUES (1, 1, repeat('x', 17000000))"))[2], qr/row is too large for ledger table "offer".*\n.*16777216/, 'and its own rows are of bounded size');

# What another server might not be able to read goes into no shared table.
{
	my $deep = sub { '[' x $_[0] . ']' x $_[0] };
	my %refused = (
		jsonb => ["content) VALUES ('" . $deep->(65) . "'", qr/value is too complex for a shared table.*\n.*nested more than 64 times.*\nHINT:  Spread it over several rows/],
		'json in an array' => ["old) VALUES (ARRAY['1', '" . $deep->(65) . "']::json[]", qr/nested more than 64 times/],
		'a long array' => ["codes) SELECT (array_agg(NULL::name)) FROM generate_series(1, 1000001", qr/more than 1000000 elements/]);

	like(($wires->node(3)->psql('postgres', "INSERT INTO paper ($refused{$_}[0])"))[2], $refused{$_}[1], "$_ is refused") foreach (sort keys %refused);

	# a limit of the server that a rule runs into is a verdict like any other
	my $ref = $wires->sql(3, "SET test.lenient = 'on'; INSERT INTO paper VALUES (1000000000, NULL) RETURNING ledger_ref");
	my $good = $wires->sql(3, "INSERT INTO paper VALUES (1, '" . $deep->(64) . "') RETURNING ledger_ref");

	foreach my $member (@members)
	{
		like($wires->sql($member, "SELECT ledger.wait_final('$good', '170 s')"), qr/^\d+$/, "member $member goes on");
		is($wires->sql($member, "SELECT sqlstate FROM ledger.rejected WHERE ref = '$ref'"), '54000', 'after a row that a rule could not be asked of');
	}
}

# Rules are code of the table's owner, also while they are prepared.
{
	foreach my $member (@members)
	{
		$wires->sql($member, q{CREATE ROLE clerk});
		$wires->sql($member, q{CREATE FUNCTION is_clerk(text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$BEGIN RAISE LOG 'the rule % runs as %', $1, current_user; RETURN true; END$$});
		$wires->sql($member, "CREATE TABLE note (id bigint CHECK (is_clerk('of the check') AND id > 0)) USING ledger");
		$wires->sql($member, "CREATE INDEX note_by_id ON note (id) WHERE is_clerk('of the index')");
		$wires->sql($member, 'ALTER TABLE note OWNER TO clerk');
		$wires->sql($member, "SELECT ledger_internal.share_table('note', '${\ ($id =~ s/ff$/fd/r)}')");
	}
	my %before = map { $_ => -s $wires->node($_)->logfile } @members;
	my $ref = $wires->sql(2, 'INSERT INTO note VALUES (1) RETURNING ledger_ref');

	foreach my $member (grep { $_ != 2 } @members)
	{
		$wires->sql($member, "SELECT ledger.wait_final('$ref', '170 s')");
		my $log = slurp_file($wires->node($member)->logfile, $before{$member});
		my %users = map { $_ => 1 } $log =~ /the rule of the check runs as (\w+)/g;

		is(join(' ', sort keys %users), 'clerk', "member $member asks the check as the table's owner");
		%users = map { $_ => 1 } $log =~ /the rule of the index runs as (\w+)/g;
		is(join(' ', sort keys %users), 'clerk', 'and the predicate of the index');
	}
}

# Their entries of the ref index go into a leaf by many at a time: the index is sound, between
# refs of others too, and the WAL has a record for many of them.
{
	my $begin = $wires->sql(2, 'CREATE EXTENSION pg_walinspect; SELECT pg_current_wal_insert_lsn()');
	my @last = map { (split /\n/, $wires->sql($_, "INSERT INTO offer SELECT 1000 * n + $_, 1 FROM generate_series(1, 3000) AS n RETURNING ledger_ref"))[-1] } (1, 3, 1, 4);

	foreach my $member (@members)
	{
		$wires->sql($member, "SELECT ledger.wait_final('$_', '170 s')") foreach (@last);
		is($wires->sql($member, 'SELECT count(*) FROM offer WHERE id > 1000'), '12000', "many rows of three members are at member $member");
		is($wires->sql($member, "CREATE EXTENSION amcheck; SELECT bt_index_check(indexrelid, true) FROM pg_index WHERE indrelid = 'offer'::regclass"), '', 'and its ref index is sound');
	}
	cmp_ok($wires->sql(2, "SELECT count(*) FROM pg_get_wal_records_info('$begin', pg_current_wal_flush_lsn()), pg_class AS c WHERE resource_manager = 'Btree' AND c.oid = (SELECT indexrelid FROM pg_index WHERE indrelid = 'offer'::regclass) AND block_ref LIKE '%/' || pg_relation_filenode(c.oid) || ' %'"), '<', 12000 / 10, 'few records of the btree for so many');
}

# Private and shared tables in one transaction: a batch with both.
{
	my $ref = $wires->sql(3, "BEGIN; INSERT INTO cdr VALUES (7); INSERT INTO offer VALUES (300, 3, NULL) RETURNING ledger_ref; COMMIT");

	foreach my $member (@members)
	{
		like($wires->sql($member, "SELECT ledger.wait_final('$ref', '170 s')"), qr/^\d+$/, "a row beside a private one is at member $member");
	}
	is($wires->sql(1, 'SELECT count(*) FROM cdr WHERE id = 7'), '0', 'the private one is not');
}

# Every member verifies its own rows.
foreach my $member (@members)
{
	is($wires->sql($member, q{SELECT * FROM ledger.verify(mode => 'full')}), '', "member $member finds nothing wrong");
}

done_testing();
