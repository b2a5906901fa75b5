# A member is asked for the states after several checkpoints at once: each of those who ask
# has a turn, and none of them keeps another one from being served.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

use LedgerContract;
use LedgerWire;

use constant WAITS => 'waits';

my $wires = LedgerWire->new(3, ordered => 1);
my $wait = $PostgreSQL::Test::Utils::timeout_default;
my %asked;

$wires->announce($_) foreach (1 .. 3);
show('on');
deploy($wires, 1, 'stock', <<'SCRIPT');
CREATE TABLE item (number integer PRIMARY KEY) USING ledger_state;
CREATE FUNCTION add(context ledger.context, number integer) RETURNS void LANGUAGE sql
    BEGIN ATOMIC INSERT INTO item VALUES (add.number); END;
SCRIPT
approve($wires, 'stock', 2, 3);
ok($wires->poll(1, q{SELECT state FROM ledger.contract WHERE name = 'stock'}, 'deployed'), 'the contract is deployed');

sub show { my ($value) = @_; $wires->sql(1, $_) foreach ("ALTER SYSTEM SET telco_ledger.show_state = $value", 'SELECT pg_reload_conf()'); return }
sub is_dropped { my ($name) = @_; return ok($wires->poll(1, 'SELECT (SELECT count(*) FROM ledger_internal.asked_state), (SELECT count(*) FROM ledger_internal.shown_state), (SELECT count(*) FROM ledger_internal.shown_piece)', '0|0|0'), $name) }
sub looks { return $wires->sql(1, q{SELECT seq_scan + idx_scan FROM pg_stat_user_tables WHERE relid = 'ledger_internal.asked_state'::regclass}) }

# The height of a checkpoint after one more call.
sub checkpoint
{
	my ($number) = @_;
	my $ref = $wires->sql(1, "SELECT stock.add($number)");

	is($wires->sql(1, "SELECT state FROM ledger.outcome('$ref', '$wait s')"), 'done', "call $number is done");
	my $at = "(SELECT height FROM ledger_internal.call_outcome WHERE ref = '$ref')";
	$wires->poll(1, "SELECT max(c.height) >= $at FROM ledger_internal.checkpoint AS c");
	return $wires->sql(1, 'SELECT max(height) FROM ledger_internal.checkpoint');
}

# As the process of a member's wire does, into the wire of member 1.
sub ask
{
	my ($member, $height, $number) = @_;

	$asked{$member} = sprintf '%016x%08x%08x%08x', $height, $number // 0, rand 2**32, rand 2**32;
	put($member);
	return;
}

sub put
{
	my ($member) = @_;
	my $role = $wires->sql(1, 'SELECT ledger_internal.wire_prefix()') . "_$member";

	$wires->wire(1, "SET SESSION AUTHORIZATION $role; INSERT INTO ledger_wire.request (message) VALUES ('\\x04$asked{$member}')");
	return;
}

sub has_turn { my ($member) = @_; return $wires->poll(1, 'SELECT member FROM ledger_internal.asked_state ORDER BY turn_at DESC NULLS LAST LIMIT 1', $member) }

# Which making of a state he is shown, that he has to wait, or nothing yet.
sub answer
{
	my ($member) = @_;

	return $wires->wire(1, "SELECT CASE WHEN octet_length(message) > 12 THEN encode(substring(message FOR 8), 'hex') ELSE '${\WAITS}' END FROM ledger_wire.piece WHERE member = $member AND question = '\\x$asked{$member}'");
}

# Each of them asks for the first piece: what they are answered.  Member 1 forgets a question
# after a while, so who has no answer puts his again.
sub round
{
	my (%heights) = @_;
	my %answers = map { $_ => '' } keys %heights;
	my @open = sort keys %heights;
	my $again = time + 2;

	ask($_, $heights{$_}) foreach (@open);
	for (my $end = time + $wait; time < $end && @open; )
	{
		usleep(50_000);
		$answers{$_} = answer($_) foreach (@open);
		@open = grep { $answers{$_} eq '' } @open;
		next if time < $again;
		put($_) foreach (@open);
		$again = time + 2;
	}
	return %answers;
}

# They ask until one of them is shown something: who, and what.
sub first_shown
{
	my (%heights) = @_;

	for (my $end = time + $wait; time < $end; )
	{
		my %answers = round(%heights);
		my @shown = grep { $answers{$_} ne '' && $answers{$_} ne WAITS } keys %heights;

		return ("@shown", @answers{@shown}) if @shown;
	}
	return ('nobody');
}

# They ask until that member is shown something.
sub shown_to
{
	my ($member, %heights) = @_;

	for (my $end = time + $wait; time < $end; )
	{
		my %answers = round(%heights);

		return 1 if $answers{$member} ne '' && $answers{$member} ne WAITS;
	}
	return 0;
}

# Time does not end the turn that there is.
sub stop_time { $wires->sql(1, q{UPDATE ledger_internal.shown_state SET made_at = made_at + interval '1 hour'}); return }

# Their turns began an hour before.
sub pass_time { $wires->sql(1, "UPDATE ledger_internal.shown_state SET made_at = made_at - interval '1 hour'; UPDATE ledger_internal.asked_state SET turn_at = turn_at - interval '1 hour'"); return }

my @heights = map { checkpoint($_) } (1 .. 3);
my ($who, $made);

# Nothing is noted for what cannot be shown.
ask(3, 1_000_000);
($who, $made) = first_shown(2 => $heights[0]);
is($who, '2', 'member 2 is shown a state');
is($wires->sql(1, 'SELECT count(*) FROM ledger_internal.asked_state WHERE height = 1000000'), '0', 'a height without a checkpoint is not noted');

# Questions are answered one behind the other.
{
	my $at = $wires->sql(1, 'SELECT at FROM ledger_internal.asked_state WHERE member = 2');

	ask(2, $heights[0], 1);
	ok($wires->poll(1, "SELECT at > '$at' FROM ledger_internal.asked_state WHERE member = 2"), 'who asks for more pieces than that state has is heard');
	is({ round(3 => $heights[0]) }->{3}, $made, 'and somebody else is answered after him');
	is(answer(2), '', 'but he is not');
}

# For longer than the pause between two states.
{
	my (%others, %waiting);
	my $n = 0;

	for (my $end = time + 14; time < $end; )
	{
		my %answers = round(2 => $heights[0], 3 => $heights[ 1 + $n++ % 2 ]);

		$others{ $answers{2} }++;
		$waiting{ $answers{3} }++;
	}
	is((join ' ', keys %others), $made, 'and goes on to be, whatever member 3 asks for again and again');
	is((join ' ', keys %waiting), WAITS, 'who is told to wait');
}

# A turn ends.
pass_time();
ok(shown_to(3, 2 => $heights[0], 3 => $heights[1]), 'then it is the turn of member 3, though member 2 still asks');
is({ round(2 => $heights[0], 3 => $heights[1]) }->{2}, WAITS, 'and member 2 waits');
stop_time();
is((first_shown(2 => $heights[0], 3 => $heights[2]))[0], '2', 'who asks for another state has ended his turn');
stop_time();
ok(shown_to(3, 3 => $heights[2]), 'and who asks for nothing any more');

# A turn goes over to who asks for the same, while the one who had it asks for another state.
$made = (first_shown(3 => $heights[2]))[1];
is((first_shown(2 => $heights[2]))[1], $made, 'what is there is shown to another member as well');
ok(has_turn(3), 'in the turn of the one it was made for');
pass_time();
round(2 => $heights[2], 3 => $heights[1]);
ok(has_turn(2), 'the next turn is of who asks for the same');
is_deeply({ round(2 => $heights[2], 3 => $heights[1]) }, { 2 => $made, 3 => WAITS }, 'and that state is not made once more');

# While nothing is shown nobody looks for questions.
show('off');
is_dropped('what was shown is dropped');
{
	usleep(2_000_000);
	my $before = looks();

	checkpoint(4);
	usleep(1_000_000);
	is(looks(), $before, 'and no checkpoint has the worker look for what is asked');
}

# Who takes a state does not always begin with the same member.
foreach (1, 2)
{
	$wires->wire($_, 'CREATE TABLE public.seen (); CREATE FUNCTION public.seen() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER'
		. ' AS $$ BEGIN INSERT INTO public.seen DEFAULT VALUES; RETURN NULL; END $$;'
		. ' CREATE TRIGGER seen AFTER INSERT ON ledger_wire.request FOR EACH ROW WHEN (get_byte(NEW.message, 0) = 4) EXECUTE FUNCTION public.seen()');
}
ok($wires->poll(3, 'SELECT max(c.height) >= (SELECT max(height) FROM ledger_internal.ordered_block) FROM ledger_internal.checkpoint AS c'), 'member 3 knows a checkpoint of all that is applied');
{
	my %first;

	for (my $n = 0; $n < 30 && keys %first < 2; $n++)
	{
		my @seen;

		$wires->sql(3, q{SELECT ledger.take_state('a trial')});
		for (my $end = time + $wait; time < $end && !@seen; usleep(50_000))
		{
			@seen = grep { $wires->wire($_, 'SELECT count(*) FROM public.seen') > 0 } (1, 2);
		}
		$first{$_} = 1 foreach (@seen);
		$wires->sql(3, 'SELECT ledger.cancel_take()');
		$wires->wire($_, 'TRUNCATE public.seen') foreach (1, 2);
	}
	is((join ' ', sort keys %first), '1 2', 'another member is asked first in another take');
}
show('on');
ok(shown_to(2, 2 => $heights[2]), 'a state is shown again');
$wires->sql(1, 'ALTER SYSTEM SET telco_ledger.show_state = off');
$wires->node(1)->restart;
is_dropped('it is dropped by a start that finds the setting off');

done_testing();
