# Shell functions of the demonstrations, beside those of common.sh.
#
#	title TEXT...			the heading of a part
#	fail_with FILE			end with the last lines of that file
#	change_byte FILE (BLOCK,ITEM) TEXT
#							change the last character of TEXT, a digit, in that
#							tuple of a table's file
#
# Sourced by bash, with `set -eu` in force.

title()
{
	printf '\n--- %s\n\n' "$*"
}

fail_with()
{
	tail -n 40 "$1" >&2
	fail 'the demonstration stopped here'
}

change_byte()
{
	perl -e '
		my ($file, $ctid, $text) = @ARGV;
		my ($block, $item) = $ctid =~ /\((\d+),(\d+)\)/ or die "ctid: $ctid";
		open(my $fh, "+<:raw", $file) or die "$file: $!";
		seek($fh, $block * 8192, 0);
		read($fh, my $page, 8192) == 8192 or die "short page";
		my $pointer = unpack("V", substr($page, 24 + 4 * ($item - 1), 4));
		my ($offset, $length) = ($pointer & 0x7fff, $pointer >> 17);
		my $at = index(substr($page, $offset, $length), $text);
		die "not found" if $at < 0;
		my $last = $at + length($text) - 1;
		my $digit = substr($text, -1);
		seek($fh, $block * 8192 + $offset + $last, 0);
		print $fh ($digit + 1) % 10;
		close($fh) or die "$file: $!";
	' "$@"
}
