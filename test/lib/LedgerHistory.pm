# What clients of several members were told, and whether it is so.
#
#	my $history = LedgerHistory->new($wires, clients => 2);	# at each member
#	$history->tend			starts clients whose psql has ended anew; call it often
#	$history->stop			ends them; what they were told counts
#	$history->check			the tests, when all members are up and linked
#	$history->acknowledged	how many rows somebody was told to be final
#
# A client inserts rows, one at a time, into a table of its member and waits until
# each is final.  It notes the ref when the transaction is committed and the height
# when the row is final, each with the machine's clock.  Then it must be true that
#	committed rows are in their table, and become final
#	a row that was final at a height is at that height for ever
#	a row that was inserted when another one, of whatever member, was known to be
#	final is in a later block (blocks are one order for all)
#	all members have the same blocks, with the same batches in the same order
package LedgerHistory;

use strict;
use warnings;

use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use constant ROWS => 500;	# of one psql

sub new
{
	my ($class, $wires, %param) = @_;
	my $self = bless { wires => $wires, directory => PostgreSQL::Test::Utils::tempdir(), running => {}, names => 0, outputs => [] }, $class;

	foreach my $member (1 .. $wires->count)
	{
		$self->start($member) foreach (1 .. $param{clients} // 1);
	}
	return $self;
}

# Output: c|id|ref|begun when committed, f|id|ref|height|ended when final.
sub start
{
	my ($self, $member) = @_;
	my $name = ++$self->{names};
	my $file = "$self->{directory}/client$name";
	my @command = ('psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $self->{wires}->node($member)->connstr('postgres'), '-f', "$file.sql");

	PostgreSQL::Test::Utils::append_to_file("$file.sql", CORE::join '', map { script(1000 * $name + $_) } (1 .. ROWS));
	my $pid = fork // die "could not fork: $!\n";
	if ($pid == 0)
	{
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', "$file.out";
		open STDERR, '>', "$file.err";
		exec @command or POSIX::_exit(1);
	}
	$self->{running}{$pid} = $member;
	push @{ $self->{outputs} }, [ $member, "$file.out" ];
	return;
}

sub script
{
	my ($id) = @_;

	return <<"END";
SELECT extract(epoch FROM clock_timestamp()) AS begun \\gset
INSERT INTO cdr VALUES ($id) RETURNING 'c', id, ledger_ref, :begun;
SELECT 'f', id, ledger_ref, ledger.wait_final(ledger_ref, '170 s'), extract(epoch FROM clock_timestamp()) FROM cdr WHERE id = $id;
END
}

sub tend
{
	my ($self) = @_;

	while ((my $pid = waitpid(-1, POSIX::WNOHANG())) > 0)
	{
		my $member = delete $self->{running}{$pid};

		$self->start($member) if defined $member;
	}
	return;
}

sub stop
{
	my ($self) = @_;

	kill 'TERM', $_ foreach (keys %{ $self->{running} });
	waitpid $_, 0 foreach (keys %{ $self->{running} });
	$self->{running} = {};
	$self->read_all;
	return;
}

# A line that a client was killed in has no end.
sub read_all
{
	my ($self) = @_;

	@{$self}{qw(committed final)} = ([], []);
	foreach my $output (@{ $self->{outputs} })
	{
		my ($member, $file) = @$output;
		my %begun;

		next unless -e $file;
		foreach my $line (split /(?<=\n)/, PostgreSQL::Test::Utils::slurp_file($file))
		{
			if ($line =~ /^c\|(\d+)\|([\d.]+)\|([\d.]+)\n$/)
			{
				$begun{$2} = $3;
				push @{ $self->{committed} }, { member => $member, id => $1, ref => $2 };
			}
			elsif ($line =~ /^f\|(\d+)\|([\d.]+)\|(\d+)\|([\d.]+)\n$/)
			{
				push @{ $self->{final} }, { member => $member, id => $1, ref => $2, height => $3, begun => $begun{$2}, ended => $4 };
			}
		}
	}
	return;
}

sub acknowledged { return scalar @{ $_[0]{final} } }

sub check
{
	my ($self) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$self->settle;
	foreach my $member (1 .. $self->{wires}->count)
	{
		$self->check_committed($member);
		$self->check_final($member);
	}
	$self->check_order;
	$self->check_blocks;
	return;
}

# All rows are final, and everybody has the block that is the highest then.
sub settle
{
	my ($self) = @_;
	my $wires = $self->{wires};
	my $highest = 0;

	foreach my $member (1 .. $wires->count)
	{
		ok($wires->poll($member, 'SELECT rows_pending = 0 FROM ledger.status'), "all rows of member $member are final")
		  || diag($wires->sql($member, 'SELECT height, rows_pending, state FROM ledger.status') . "\n" . $wires->sql($member, 'SELECT * FROM ledger.peer'));
	}
	foreach my $member (1 .. $wires->count)
	{
		my $height = $wires->sql($member, 'SELECT max(height) FROM ledger.block');

		$highest = $height if $height > $highest;
	}
	foreach my $member (1 .. $wires->count)
	{
		ok($wires->poll($member, "SELECT max(height) >= $highest FROM ledger.block"), "member $member has block $highest");
	}
	$self->{highest} = $highest;
	return;
}

sub check_committed
{
	my ($self, $member) = @_;
	my @mine = grep { $_->{member} == $member } @{ $self->{committed} };
	my $list = CORE::join ',', map { "($_->{id}, '$_->{ref}'::ledger.ref)" } @mine;
	my $lost = @mine ? $self->{wires}->sql($member, "SELECT count(*) FROM (VALUES $list) AS a (id, ref) WHERE NOT EXISTS (SELECT FROM cdr WHERE ledger_ref = ref AND cdr.id = a.id)") : 0;

	is($lost, '0', 'all ' . @mine . " rows whose commit a client of member $member saw are there");
	return;
}

sub check_final
{
	my ($self, $member) = @_;
	my @mine = grep { $_->{member} == $member } @{ $self->{final} };
	my $list = CORE::join ',', map { "('$_->{ref}'::ledger.ref, $_->{height})" } @mine;
	my $moved = @mine ? $self->{wires}->sql($member, "SELECT count(*) FROM (VALUES $list) AS a (ref, height) WHERE ledger.height(ref) IS DISTINCT FROM height") : 0;

	is($moved, '0', 'all ' . @mine . " rows that a client of member $member was told to be final are where he was told");
	return;
}

# What began after something had ended is higher.
sub check_order
{
	my ($self) = @_;
	my @ended = sort { $a->{ended} <=> $b->{ended} } @{ $self->{final} };
	my ($next, $height, @wrong) = (0, -1);

	foreach my $row (sort { $a->{begun} <=> $b->{begun} } @{ $self->{final} })
	{
		while ($next < @ended && $ended[$next]{ended} < $row->{begun})
		{
			$height = $ended[$next]{height} if $ended[$next]{height} > $height;
			$next++;
		}
		push @wrong, "$row->{ref} of member $row->{member} at $row->{height}, not above $height" if $row->{height} <= $height;
	}
	is(CORE::join("\n", @wrong), '', 'what was inserted when another row was known to be final is above it');
	return;
}

sub check_blocks
{
	my ($self) = @_;
	my %histories;

	foreach my $member (1 .. $self->{wires}->count)
	{
		my $history = $self->{wires}->sql($member, <<"END");
SELECT md5(string_agg(height || ' ' || hash::text, ',' ORDER BY height)),
       (SELECT md5(string_agg(height || ' ' || member || ' ' || incarnation || ' ' || digest::text, ',' ORDER BY height, member, incarnation, batch))
          FROM (SELECT height, member, incarnation, batch, digest FROM ledger_internal.batch
                UNION ALL SELECT height, member, incarnation, batch, digest FROM ledger_internal.foreign_batch) AS b
         WHERE height <= $self->{highest})
  FROM ledger.block WHERE height <= $self->{highest}
END
		push @{ $histories{$history} }, $member;
	}
	is(scalar(keys %histories), 1, "everybody has the same blocks and batches up to $self->{highest}")
	  || diag(CORE::join '', map { "$_: members @{ $histories{$_} }\n" } keys %histories);
	return;
}

1;
