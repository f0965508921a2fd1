module canal

go 1.21
