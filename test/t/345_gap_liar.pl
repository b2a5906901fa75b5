# Rows of a log are gone from wires, and one member lies about which.  The log goes on
# across those that two say to have dropped, or their author, and that none has who can be asked; what
# comes late all the same is kept, if blocks order it.
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
my $batch = '\\x' . '00' x 32;
my $number = 0;
my %rows;

$liar->sql('CREATE TABLE ledger_wire.log_4 (arrival bigserial, message bytea)');
$liar->sql("GRANT SELECT ON ledger_wire.log_4 TO $liar->{prefix}_$_") foreach (1, 2);

# The next rows of the author's: votes, or (batches => [...]) batches at these places.
# Only they have them who are told.
sub write_rows
{
	my ($last, @batches) = @_;

	while ($author->{seq} < $last)
	{
		my $seq = $author->{seq} + 1;
		my %param = (kind => 6, payload => '\\x');

		if (grep { $_ == $seq } @batches)
		{
			%param = (kind => 1, payload => $author->batch(++$number, $batch));
			$batch = $author->sql("SELECT sha256('\\x00'::bytea || '$param{payload}'::bytea)");
		}
		$rows{$seq} = $author->publish(%param, hidden => 1);
	}
	return;
}

# The author's wire shows rows that no link brings.
sub show_rows
{
	my (@places) = @_;

	$author->sql("ALTER PUBLICATION ledger_log SET (publish = '')");
	$author->send($rows{$_}) foreach (@places);
	$author->sql("ALTER PUBLICATION ledger_log SET (publish = 'insert')");
	return;
}

# A wire says that it has dropped rows up to there.
sub drop_rows
{
	my ($publisher, $last) = @_;

	$publisher->sql("DELETE FROM ledger_wire.forgotten; INSERT INTO ledger_wire.forgotten VALUES (4, '$nonce', $last)");
	return;
}

# The liar shows one of them, and none of those before.
sub tempt
{
	my ($seq) = @_;

	$liar->sql("INSERT INTO ledger_wire.log_4 (message) VALUES ('$rows{$seq}')");
	return;
}

sub is_at
{
	my ($member, $last, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok($wires->poll($member, "SELECT max(seq) = $last FROM ledger_internal.peer_log WHERE member = 4"), "$name, for member $member")
	  || diag($wires->sql($member, 'SELECT * FROM ledger.peer'));
}

# Time for several rounds of all wires.
sub stays_at
{
	my ($member, $last, $name) = @_;

	sleep 3;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is($wires->sql($member, 'SELECT max(seq) FROM ledger_internal.peer_log WHERE member = 4'), $last, $name);
}

sub places
{
	my ($member) = @_;

	return $wires->sql($member, "SELECT string_agg(seq::text, ' ' ORDER BY seq) FROM ledger_internal.peer_log WHERE member = 4 AND seq > 10");
}

write_rows(10);
$author->send($rows{$_}) foreach (1 .. 10);
is_at($_, 10, 'a log comes') foreach (1, 2);

# The liar says that all has been dropped, and shows a row further on.  The author has those
# before it, and nobody says that they may be passed over.
write_rows(20, 14);
drop_rows($liar, 9223372036854775807);
tempt(18);
show_rows(16 .. 20);
stays_at(1, 10, 'one member says that rows are gone, and that does not count');

# A second one does; and one of these rows is in the wire of member 2 alone, some in the author's.
$wires->wire(2, "INSERT INTO ledger_wire.log_4 (message) VALUES ('$rows{14}')");
$wires->wire(2, "INSERT INTO ledger_wire.forgotten VALUES (4, '$nonce', 17)");
is_at($_, 20, 'two say so') foreach (1, 2);
is(places($_), '14 16 17 18 19 20', "and member $_ has what anybody has") foreach (1, 2);
ok($wires->poll(1, 'SELECT seq FROM ledger_wire.forgotten WHERE member = 4', '15', LedgerWire::WIRE), 'member 1 tells where it lacks rows, and not what the liar said');

# Who does not answer may have the row.
write_rows(28, 23);
$wires->wire(2, "INSERT INTO ledger_wire.log_4 (message) VALUES ('$rows{23}')");
$wires->node(2)->stop('fast');
drop_rows($author, 27);
tempt(28);
show_rows(26 .. 28);
stays_at(1, 20, 'a wire that does not answer is waited for');
$wires->node(2)->start;
is_at($_, 28, 'it answers') foreach (1, 2);
is(places($_), '14 16 17 18 19 20 23 26 27 28', "and member $_ has what it has") foreach (1, 2);

# Rows come by the link after all: a batch, and a vote that would have been in time then.
write_rows(35, 31);
drop_rows($author, 34);
tempt(35);
show_rows(33 .. 35);
is_at($_, 35, 'the log goes on') foreach (1, 2);
my $acknowledged = "SELECT count(*) > 0 FROM ledger_internal.own_log WHERE kind = 2 AND position('$batch'::bytea in message) > 0";

$author->send($rows{$_}) foreach (31, 32);
foreach my $member (1, 2)
{
	ok($wires->poll($member, $acknowledged), "member $member acknowledges a batch that comes late");
	is(places($member), '14 16 17 18 19 20 23 26 27 28 31 33 34 35', 'which it keeps, and the vote beside it not');
}
is($wires->sql(1, 'SELECT count(*) FROM ledger_internal.contradiction'), '0', 'nothing contradicts');

# Who is no member yet in the epoch in which this one is may have rows, too; but not who has left.
write_rows(40);
$wires->{keys}[4] = $wires->public_key(LedgerWire::secret(5));
$wires->introduce(1, 5, 'host=127.0.0.1 port=1 dbname=none');
drop_rows($author, 39);
show_rows(40);
is_at(2, 40, 'the log goes on');
stays_at(1, 35, 'who is to be a member is waited for');
$wires->sql(1, 'UPDATE ledger_internal.peer SET left_at = now() WHERE member = 5; SELECT ledger_internal.wire_changed()');
my $left = time;
is_at(1, 40, 'he leaves');
cmp_ok(time - $left, '<', 60, 'and nobody waits for him any more');

# A row of an epoch to come is for its members to judge.
write_rows(41);
$rows{42} = $author->publish(kind => 6, payload => '\\x', epoch => 1, hidden => 1);
drop_rows($author, 41);
show_rows(42);
stays_at($_, 40, "and member $_ goes on to none of an epoch to come") foreach (1, 2);
done_testing();
