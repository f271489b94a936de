/* Does nothing, and says nothing: the program that tests/scenarios/volume_files.py makes damaged images of. */
int main(void)
{
	return 0;
}
