module tasca-benches-go

go 1.19
