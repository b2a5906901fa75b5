# Rows of a log are gone from wires, and one member holds up who goes on across them, as
# long as it has credit: to one it answers questions about that log with errors, and those about
# another log at once; to the other it is slow, and pads what it shows.
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
my %rows;

sub write_rows
{
	my ($last) = @_;

	$rows{ $author->{seq} } = $author->publish(kind => 6, payload => '\\x', hidden => 1) while ($author->{seq} < $last);
	return;
}

# No link brings them, and the author has dropped those between.
sub show_rows
{
	my (@places) = @_;

	$author->sql("DELETE FROM ledger_wire.forgotten; INSERT INTO ledger_wire.forgotten VALUES (4, '$nonce', $places[-1])");
	$author->sql("ALTER PUBLICATION ledger_log SET (publish = '')");
	$author->send($rows{$_}) foreach (@places);
	$author->sql("ALTER PUBLICATION ledger_log SET (publish = 'insert')");
	return;
}

sub reaches
{
	my ($member, $last) = @_;

	return $wires->poll($member, "SELECT max(seq) = $last FROM ledger_internal.peer_log WHERE member = 4");
}

# What the liar shows of the author's log: rows, each with much of no use behind it.
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

write_rows(10);
$author->send($rows{$_}) foreach (1 .. 10);
ok(reaches($_, 10), "a log comes, to member $_") foreach (1, 2);

# Its own log it claims to have more of.
$liar->publish(kind => 6, payload => '\\x');
ok($wires->poll(1, 'SELECT max(seq) = 1 FROM ledger_internal.peer_log WHERE member = 3'), 'another one comes');
$liar->sql("CREATE OR REPLACE VIEW ledger_wire.head AS SELECT 3::bigint AS member, '$nonce'::bytea || int8send(1000) AS key");

my @kept = map { 2 * $_ } (6 .. 35);

write_rows(70);
$liar->sql("INSERT INTO ledger_wire.padded VALUES ('$rows{$_}')") foreach (@kept);
show_rows(@kept);
my $begin = time;

sleep 20;
is($wires->sql($_, 'SELECT max(seq) FROM ledger_internal.peer_log WHERE member = 4'), '10', "member $_ waits for one that may have the rows") foreach (1, 2);
ok(reaches($_, 70) || reaches($_, 70), "member $_ waits no longer than it has credit") foreach (2, 1);
cmp_ok(time - $begin, '>', 100, 'which is two minutes');
cmp_ok(time - $begin, '<', 200, 'and not much more, for all questions');

# Without credit nobody is waited for.
write_rows(80);
$begin = time;
show_rows(75, 80);
ok(reaches($_, 80), "member $_ goes across the next gap") foreach (1, 2);
cmp_ok(time - $begin, '<', 60, 'without another wait');
done_testing();
