# Rows of a log are gone from wires, and one member holds up who goes on across them, as
# long as it has credit.  That takes two minutes, so two ledgers have such a one at once.
#
# On the first he answers one member's questions about that log with errors, and those about
# another log at once; to the other member he is slow, and pads what he shows.
#
# On the second the rows are gone from all wires but his, and he gives them one by one: to
# one member he takes long for each, to the other no longer than what is prompt.  Each is a
# row that can be kept.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerWire;

my $nonce = '\\x' . '00' x 16;

# Two members, a liar and an author, whose log has come up to its tenth row.  Of the others
# his wire has none: they are only made.
sub found
{
	my ($name, $count) = @_;
	my $wires = LedgerWire->new(2, ordered => 1, outside => 2, servers_named => "${name}_", conf => "telco_ledger.keep_messages = 0\n");
	my $liar = $wires->add_publisher(3);
	my $author = $wires->add_publisher(4);
	my @rows = ('', $author->make_empty($count));

	$author->send($rows[$_]) foreach (1 .. 10);
	ok(reaches($wires, $_, 10), "$name: a log comes, to member $_") foreach (1, 2);
	return ($wires, $liar, $author, @rows);
}

sub reaches
{
	my ($wires, $member, $last) = @_;

	return $wires->poll($member, "SELECT max(seq) = $last FROM ledger_internal.peer_log WHERE member = 4");
}

# No link brings them, and the author has dropped those before and between.
sub show_rows
{
	my ($author, $dropped, @shown) = @_;

	$author->sql("DELETE FROM ledger_wire.forgotten; INSERT INTO ledger_wire.forgotten VALUES (4, '$nonce', $dropped)");
	$author->sql("ALTER PUBLICATION ledger_log SET (publish = '')");
	$author->send($_) foreach (@shown);
	$author->sql("ALTER PUBLICATION ledger_log SET (publish = 'insert')");
	return;
}

my ($wires, $liar, $author, @rows) = found('padded', 80);
my ($drip_wires, $drip_liar, $drip_author, @drip_rows) = found('drip', 520);

# What the first liar shows of the author's log: rows, each with much of no use behind it.
$liar->sql(<<'END');
CREATE TABLE ledger_wire.padded (message bytea);
CREATE FUNCTION ledger_wire.padded() RETURNS TABLE (message bytea, arrival bigint) LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF session_user LIKE '%\_1' THEN
        RAISE EXCEPTION 'not to you';
    END IF;
    PERFORM pg_sleep(10);
    RETURN QUERY SELECT CASE WHEN n = 0 THEN p.message ELSE substring(p.message FOR 29) || int4send(n) END,
                        row_number() OVER (ORDER BY p.message, n)
                   FROM ledger_wire.padded AS p, generate_series(0, 300) AS n;
END $$;
CREATE VIEW ledger_wire.log_4 AS SELECT * FROM ledger_wire.padded();
END
$liar->sql("GRANT SELECT ON ledger_wire.log_4 TO $liar->{prefix}_$_") foreach (1, 2);

# Its own log it claims to have more of.
$liar->publish(kind => 6, payload => '\\x');
ok($wires->poll(1, 'SELECT max(seq) = 1 FROM ledger_internal.peer_log WHERE member = 3'), 'another one comes');
$liar->sql("CREATE OR REPLACE VIEW ledger_wire.head AS SELECT 3::bigint AS member, '$nonce'::bytea || int8send(1000) AS key");

# What the second one shows: with each answer the next row, and only that.
$drip_liar->sql(<<'END');
CREATE TABLE ledger_wire.gone (seq bigint PRIMARY KEY, message bytea);
CREATE SEQUENCE ledger_wire.given_1 START 11;
CREATE SEQUENCE ledger_wire.given_2 START 11;
CREATE FUNCTION ledger_wire.drip() RETURNS TABLE (message bytea, arrival bigint) LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    asker text := right(session_user, 1);
BEGIN
    PERFORM pg_sleep(CASE asker WHEN '1' THEN 10 ELSE 0.8 END);
    RETURN QUERY SELECT g.message, g.seq FROM ledger_wire.gone AS g,
                        nextval(('ledger_wire.given_' || asker)::regclass) AS n WHERE g.seq = n;
END $$;
CREATE VIEW ledger_wire.log_4 AS SELECT * FROM ledger_wire.drip();
END
$drip_liar->sql("GRANT SELECT ON ledger_wire.log_4 TO $drip_liar->{prefix}_$_") foreach (1, 2);
$drip_liar->sql('INSERT INTO ledger_wire.gone VALUES ' . join(', ', map { "($_, '$drip_rows[$_]')" } (11 .. 510)));

my @kept = map { 2 * $_ } (6 .. 35);

$liar->sql("INSERT INTO ledger_wire.padded VALUES ('$rows[$_]')") foreach (@kept);
show_rows($author, 70, @rows[@kept]);
my $begin = time;

show_rows($drip_author, 510, @drip_rows[ 511 .. 520 ]);
my $drip_begin = time;

sleep 20;
is($wires->sql($_, 'SELECT max(seq) FROM ledger_internal.peer_log WHERE member = 4'), '10', "member $_ waits for one that may have the rows") foreach (1, 2);
ok(reaches($wires, $_, 70) || reaches($wires, $_, 70), "member $_ waits no longer than it has credit") foreach (2, 1);
cmp_ok(time - $begin, '>', 100, 'which is two minutes');
cmp_ok(time - $begin, '<', 200, 'and not much more, for all questions');

ok(reaches($drip_wires, $_, 520), "row by row member $_ waits no longer than that, either") foreach (2, 1);
cmp_ok(time - $drip_begin, '<', 200, 'for all answers');
cmp_ok($drip_liar->sql("SELECT last_value FROM ledger_wire.given_$_"), '>', 12, "which have brought rows, to member $_") foreach (1, 2);

# Without credit nobody is waited for.
$begin = time;
show_rows($author, 80, @rows[ 75, 80 ]);
ok(reaches($wires, $_, 80), "member $_ goes across the next gap") foreach (1, 2);
cmp_ok(time - $begin, '<', 60, 'without another wait');
done_testing();
