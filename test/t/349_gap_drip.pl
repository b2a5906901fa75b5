# Rows of a log are gone from all wires but that of one member, who gives them one by one: to
# one it takes long for each, to the other no longer than what is prompt.  Each is a row that
# can be kept, and holds up what is behind them no longer than it has credit.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerWire;

my $wires = LedgerWire->new(2, ordered => 1, outside => 2, conf => "telco_ledger.keep_messages = 0\n");
my $liar = $wires->add_publisher(3);
my $author = $wires->add_publisher(4);
my $nonce = '\\x' . '00' x 16;
my @rows = ('');

sub reaches
{
	my ($member, $last) = @_;

	return $wires->poll($member, "SELECT max(seq) = $last FROM ledger_internal.peer_log WHERE member = 4");
}

push @rows, $author->publish(kind => 6, payload => '\\x', hidden => 1) foreach (1 .. 520);
$author->send($rows[$_]) foreach (1 .. 10);
ok(reaches($_, 10), "a log comes, to member $_") foreach (1, 2);

# What the liar shows of the author's log: with each answer the next row, and only that.
$liar->sql(<<'END_SQL');
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
END_SQL
$liar->sql("GRANT SELECT ON ledger_wire.log_4 TO $liar->{prefix}_$_") foreach (1, 2);
$liar->sql('INSERT INTO ledger_wire.gone VALUES ' . join(', ', map { "($_, '$rows[$_]')" } (11 .. 510)));

# No link brings what follows.
$author->sql("INSERT INTO ledger_wire.forgotten VALUES (4, '$nonce', 510)");
$author->sql("ALTER PUBLICATION ledger_log SET (publish = '')");
$author->send($rows[$_]) foreach (511 .. 520);
my $begin = time;

ok(reaches($_, 520), "member $_ waits no longer than the other has credit") foreach (2, 1);
cmp_ok(time - $begin, '<', 200, 'for all of its answers');
cmp_ok($liar->sql("SELECT last_value FROM ledger_wire.given_$_"), '>', 12, "which have brought rows, to member $_") foreach (1, 2);
done_testing();
